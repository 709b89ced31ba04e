# HTTP by curl. All that may be secret goes to it in a file or on stdin: other users can read its arguments.

# usage: _get URL [onlyheader] [TIMEOUT]
_get() {
  if [ "${2:-}" = onlyheader ]; then
    shim_request HEAD "$1" "${3:-}" </dev/null
  else
    shim_request GET "$1" "${3:-}" </dev/null
  fi
}

# usage: _post BODY URL [in-base64] [METHOD] [CONTENT_TYPE]
_post() {
  if [ "${4:-POST}" = HEAD ]; then
    shim_request HEAD "$2" '' </dev/null
    return
  fi
  shim_body=$1
  case ${3:-} in
    '' | false) printf '%s' "$1" | shim_request "${4:-POST}" "$2" '' "${5:-}" ;;
    *) printf '%s' "$1" | shim_request "${4:-POST}" "$2" '' "${5:-}" in-base64 ;;
  esac
}

# Nothing is kept between requests.
_resethttp() {
  :
}

# The body comes on stdin. The response is printed, and stays in $response.
# usage: shim_request METHOD URL TIMEOUT [CONTENT_TYPE] [in-base64]
shim_request() {
  shim_options=$(mktemp "$shim_work/curl.XXXXXX") || return 1
  shim_curl_options "$@" >"$shim_options"
  : >"$HTTP_HEADER"
  curl -q -K "$shim_options" >"$shim_options.body" 2>"$shim_options.said"
  shim_curl=$?
  if [ -n "${5:-}" ]; then
    response=$(_base64 <"$shim_options.body")
  else
    response=$(cat "$shim_options.body")
  fi
  [ "$shim_curl" -eq 0 ] || shim_say 3 "$(cat "$shim_options.said")"
  rm -f "$shim_options" "$shim_options".*
  shim_note "$shim_curl"
  printf '%s' "$response"
  return "$shim_curl"
}

shim_curl_options() {
  cat <<OPTIONS
silent
show-error
globoff
proto = "=http,https"
connect-timeout = ${3:-30}
max-time = 60
dump-header = "$(shim_quoted "$HTTP_HEADER")"
user-agent = "$(shim_quoted "$USER_AGENT")"
url = "$(shim_quoted "$2")"
OPTIONS
  case $1 in
    GET) ;;
    HEAD) echo head ;;
    *)
      printf 'request = "%s"\n' "$(shim_quoted "$1")"
      # What has no body has no type of it either: some APIs refuse that of a form.
      [ -z "${shim_body:-}" ] || echo 'data-binary = "@-"'
      ;;
  esac
  [ -n "${ACME_HTTP_NO_REDIRECTS:-}" ] || echo location
  case ${HTTPS_INSECURE:-0} in
    0) ;;
    *) echo insecure ;;
  esac
  shim_header "${4:+Content-Type: $4}"
  for shim_line in "${_H1:-}" "${_H2:-}" "${_H3:-}" "${_H4:-}" "${_H5:-}"; do shim_header "$shim_line"; done
}

shim_header() {
  [ -z "$1" ] || printf 'header = "%s"\n' "$(shim_quoted "$1")"
}

# As a text in a file of options; a line break would end it.
shim_quoted() {
  case $1 in
    *[\\\"[:cntrl:]]*) printf '%s' "$1" | tr -d '\r\n' | sed 's/[\\"]/\\&/g' ;;
    *) printf '%s' "$1" ;;
  esac
}

# Keeps what the last response said of itself; requests are made in subshells.
shim_note() {
  if [ "$1" -ne 0 ] || [ ! -s "$HTTP_HEADER" ]; then
    echo 'status 0' >"$shim_work/status"
    return
  fi
  tr -d '\r' <"$HTTP_HEADER" | awk '
    tolower($1) ~ /^http\// { status = $2; after = "" }
    tolower($1) == "retry-after:" { sub(/^[^:]*: */, ""); after = $0 }
    END { print "status " status " " after }' >"$shim_work/status"
}

shim_status() {
  [ ! -f "$shim_work/status" ] || cat "$shim_work/status"
}
