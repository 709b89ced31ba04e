#!/usr/bin/env sh
# shellcheck disable=SC2034
dns_update_info='DNS UPDATE by nsupdate
 Removes all TXT records of a name, as many dnsapi scripts do.
Options:
 UPDATE_Server Address of the primary server
 UPDATE_Port Its port
 UPDATE_Key Name of the TSIG key, for hmac-sha256
 UPDATE_Secret The key, base64
'

dns_update_add() {
  _update_send "update add $1. 60 IN TXT \"$2\""
}

dns_update_rm() {
  _update_send "update delete $1. TXT"
}

_update_send() {
  _key_file=$(_mktemp)
  printf 'key "%s" { algorithm hmac-sha256; secret "%s"; };\n' "$UPDATE_Key" "$UPDATE_Secret" >"$_key_file"
  if ! printf '%s\n' "server $UPDATE_Server $UPDATE_Port" "$1" send | nsupdate -k "$_key_file"; then
    _err "nsupdate failed."
    return 1
  fi
}
