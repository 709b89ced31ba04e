# Text, numbers, time and files. What works on a text takes it from stdin, or from an argument where scripts give one.

# Patterns, as grep has them: scripts rely on that.
_contains() {
  printf '%s\n' "$1" | grep -- "$2" >/dev/null 2>&1
}

_startswith() {
  printf '%s\n' "$1" | grep -- "^$2" >/dev/null 2>&1
}

_endswith() {
  printf '%s\n' "$1" | grep -- "$2\$" >/dev/null 2>&1
}

_egrep_o() {
  grep -E -o -- "$1" 2>/dev/null
}

_head_n() {
  head -n "$1"
}

_tail_n() {
  tail -n "$1"
}

shim_text_of() {
  if [ "$#" -gt 0 ]; then printf '%s' "$1"; else cat; fi
}

_lower_case() {
  shim_text_of "$@" | tr '[:upper:]' '[:lower:]'
}

_upper_case() {
  shim_text_of "$@" | tr '[:lower:]' '[:upper:]'
}

# Field NUMBER of TEXT; where that one is empty the nearest before it that is not.
# usage: _getfield TEXT NUMBER [SEPARATOR]
_getfield() {
  shim_field=$2
  while [ "$shim_field" -gt 0 ]; do
    shim_found=$(printf '%s\n' "$1" | cut -d "${3:-,}" -f "$shim_field")
    [ -z "$shim_found" ] || break
    shim_field=$((shim_field - 1))
  done
  printf '%s' "${shim_found:-$1}"
}

_math() {
  printf '%s' "$(($*))"
}

# On one line, without blanks before it and around the colon after a key whose value begins with a quote or bracket.
_normalizeJson() {
  shim_text_of "$@" | sed -e 's/^ *//' -e 's/" *: *\(["{[]\)/":\1/g' | tr -d '\r\n'
}

_json_decode() {
  shim_text_of "$@" | sed 's#\\/#/#g'
}

# Bytes in hex, a blank before each.
_hex_dump() {
  od -A n -v -t x1 | tr -d '\n' | tr -s ' '
}

# Bytes from hex.
_h2b() {
  # Each byte as an octal escape of printf: that can write any byte, NUL too.
  shim_bytes=$(tr -d ' \r\n' | tr 'A-F' 'a-f' | awk '{
    digits = "0123456789abcdef"
    for (at = 1; at < length($0); at += 2)
      printf "\\%03o", 16 * (index(digits, substr($0, at, 1)) - 1) + index(digits, substr($0, at + 1, 1)) - 1
  }')
  # shellcheck disable=SC2059
  printf "$shim_bytes"
}

# usage: _url_encode [upper-hex]
_url_encode() {
  od -A n -v -t x1 | tr -s ' \n' '\n\n' | awk -v style="${1:-}" '
    BEGIN {
      for (code = 45; code < 127; code++)
        if (sprintf("%c", code) ~ /[A-Za-z0-9._~-]/) plain[sprintf("%02x", code)] = sprintf("%c", code)
    }
    $0 == "" { next }
    $0 in plain { printf "%s", plain[$0]; next }
    { printf "%%%s", style == "upper-hex" ? toupper($0) : $0 }'
}

# Of the form that base64url has.
_url_replace() {
  tr '/+' '_-' | tr -d '= '
}

_time() {
  date -u +%s
}

_utc_date() {
  date -u '+%Y-%m-%d %H:%M:%S'
}

_sleep() {
  sleep "$1"
}

_exists() {
  command -v "$1" >/dev/null 2>&1 || return 1
}

# Names come to us with their labels encoded; another one needs the program idn.
_idn() {
  if printf '%s' "$1" | LC_ALL=C grep '[^ -~]' >/dev/null; then
    _exists idn || { _err "the program idn is not there, which $1 needs"; return 1; }
    idn --quiet "$1"
  else
    printf '%s' "$1"
  fi
}

# usage: _ns_lookup NAME TYPE
_ns_lookup() {
  _exists dig || { _err 'the program dig is not there'; return 1; }
  dig +short "$1" "$2"
}

_mktemp() {
  mktemp "$shim_work/files/tmp.XXXXXX"
}

# usage: _sed_i EXPRESSION FILE
_sed_i() {
  shim_edited=$(mktemp "$shim_work/edit.XXXXXX") || return 1
  # Written back into the file, which keeps its owner and mode.
  sed "$1" "$2" >"$shim_edited" && cat "$shim_edited" >"$2"
  shim_edit=$?
  rm -f "$shim_edited"
  return "$shim_edit"
}
