# What scripts say: lines on stderr that begin with their level. With two arguments it is a name and its value.

shim_say() {
  shim_level=$1
  shift
  if [ "$#" -gt 1 ]; then
    shim_text="$1='$2'"
  else
    shim_text=$1
  fi
  # Every line of a text has its level.
  printf '%s\n' "$shim_text" | sed "s/^/<$shim_level>/" >&2
}

_err() {
  shim_say 3 "$@"
  return 1
}

_usage() {
  _err "$@"
}

_info() {
  shim_say 6 "$@"
}

_log() {
  shim_say 6 "$@"
}

# Colours are for people at a terminal.
__green() {
  printf '%b' "$1"
}

__red() {
  printf '%b' "$1"
}

# Responses and session tokens of the vendor are among it: only where it is asked for.
_debug() {
  [ -z "${DEBUG:-}" ] || shim_say 7 "$@"
}

_debug2() {
  [ "${DEBUG:-0}" -lt 2 ] || shim_say 7 "$@"
}

_debug3() {
  [ "${DEBUG:-0}" -lt 3 ] || shim_say 7 "$@"
}

# Scripts know these values for secrets: they are told by name only.
_secure_debug() {
  _debug "$1" '[hidden]'
}

_secure_debug2() {
  _debug2 "$1" '[hidden]'
}

_secure_debug3() {
  _debug3 "$1" '[hidden]'
}
