import { type SentinelConnectionOptions, SentinelConnector } from 'ioredis';

/**
 * Finds the master by Sentinel. The driver's own lets the news of a new master, heard by the failover detector of the
 * last connection, cut a search for the master that is under way, and a client whose search was cut never connects
 * again. A search asks the sentinels itself: until it is over, no news is needed. A class, since the driver makes it.
 */
export class PatientSentinelConnector extends SentinelConnector {
  constructor(options: unknown) {
    super(options as SentinelConnectionOptions);
  }

  override connect(
    ...given: Parameters<SentinelConnector['connect']>
  ): ReturnType<SentinelConnector['connect']> {
    // Ends the detector, and a connection that is over anyway.
    this.disconnect();
    return super.connect(...given);
  }
}
