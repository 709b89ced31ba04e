const works: (() => void)[] = [];
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Does something when this process ends, also by a signal, the last one asked for first. `work` cannot wait for
 * anything. Who listens to a signal besides us decides alone what it means.
 */
export function atEnd(work: () => void): void {
  if (works.length === 0) listen();
  works.unshift(work);
}

function listen(): void {
  const endAll = () => {
    for (const work of works.splice(0)) work();
  };
  process.on('exit', endAll);
  for (const signal of signals) {
    const end = () => {
      if (process.listenerCount(signal) > 1) return;
      endAll();
      process.off(signal, end);
      // Our parent shall see what ended us.
      process.kill(process.pid, signal);
    };
    process.on(signal, end);
  }
}
