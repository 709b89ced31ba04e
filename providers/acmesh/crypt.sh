# Encodings and cryptography, by openssl. It gets secrets by stdin or file: other users can read its arguments.

# usage: _base64 [multiline]
_base64() {
  if [ -n "${1:-}" ]; then
    "$ACME_OPENSSL_BIN" base64 -e
  else
    "$ACME_OPENSSL_BIN" base64 -e -A
  fi
}

_dbase64() {
  tr -d '\r\n' | "$ACME_OPENSSL_BIN" base64 -d -A
}

shim_digest() {
  "$ACME_OPENSSL_BIN" dgst -"$1" -binary
}

# In hex, else in base64.
# usage: _digest ALGORITHM [hex]
_digest() {
  if [ "${2:-}" = hex ]; then
    shim_digest "$1" | _hex_dump | tr -d ' '
  else
    shim_digest "$1" | _base64
  fi
}

# In hex, else as bytes. By the definition of RFC 2104: openssl takes the key as an argument only.
# usage: _hmac ALGORITHM KEY_IN_HEX [hex]
_hmac() {
  case $1 in
    sha384 | sha512) shim_block=128 ;;
    sha3-256) shim_block=136 ;;
    *) shim_block=64 ;;
  esac
  shim_key=$(printf '%s' "$2" | tr -d ' \r\n' | tr 'A-F' 'a-f')
  [ "${#shim_key}" -le $((2 * shim_block)) ] || shim_key=$(printf '%s' "$shim_key" | _h2b | _digest "$1" hex)
  shim_inner=$({
    shim_pad 32107654ba98fedc 67452301efcdab89 | _h2b
    cat
  } | _digest "$1" hex)
  {
    shim_pad 54761032dcfe98ba cdef89ab45670123 | _h2b
    printf '%s' "$shim_inner" | _h2b
  } | shim_digest "$1" | if [ "${3:-}" = hex ]; then
    _hex_dump | tr -d ' '
  else
    cat
  fi
}

# The key in hex, filled up to the block with zeros, each byte XORed with a constant: 0x36 or 0x5c, given as what becomes
# of the digits 0 to f in the upper and in the lower half of a byte.
shim_pad() {
  printf '%s\n' "$shim_key" | awk -v upper="$1" -v lower="$2" -v digits=$((2 * shim_block)) '{
    for (at = 1; at <= digits; at++) {
      digit = at <= length($0) ? index("0123456789abcdef", substr($0, at, 1)) : 1
      printf "%s", substr(at % 2 ? upper : lower, digit, 1)
    }
  }'
}

# A signature in base64 of what comes on stdin. ALGORITHM may bring options of openssl dgst with it.
# usage: _sign KEY_FILE ALGORITHM
_sign() {
  # shellcheck disable=SC2086
  "$ACME_OPENSSL_BIN" dgst -sign "$1" -$2 | _base64
}

_isRSA() {
  "$ACME_OPENSSL_BIN" rsa -in "$1" -noout 2>/dev/null
}
