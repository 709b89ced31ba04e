#!/usr/bin/env sh
# shellcheck disable=SC2034
dns_records_info='Records over HTTP
 Of no real vendor: it does what dnsapi scripts do.
Site: records.test
Docs: records.test/docs
Options:
 RECORDS_Url URL of the API
 RECORDS_User User
 RECORDS_Password Password
 RECORDS_Ttl TTL. Default: "60".
'

dns_records_add() {
  fulldomain=$1
  txtvalue=$2
  _records_prepare && _records_find || return 1
  if [ -n "$_id" ]; then
    _info "The record is there already."
    return 0
  fi
  _content=$(printf '%s' "$txtvalue" | sed 's/[\\"]/\\&/g')
  _data="{\"name\":\"$fulldomain\",\"ttl\":$RECORDS_Ttl,\"content\":\"$_content\"}"
  _debug data "$_data"
  response=$(_post "$_data" "$RECORDS_Url/records" "" "POST" "application/json") || return 1
  if _contains "$response" '"error"'; then
    _err "The API refuses the record: $response"
    return 1
  fi
  _savedomainconf RECORDS_Id "$(printf '%s' "$response" | _egrep_o '"id":"[0-9]+"' | cut -d '"' -f 4)"
}

dns_records_rm() {
  fulldomain=$1
  txtvalue=$2
  _records_prepare && _records_find || return 1
  if [ -z "$_id" ]; then
    _info "The record is gone already."
    return 0
  fi
  _debug "record of the last add" "$(_readdomainconf RECORDS_Id)"
  response=$(_post "" "$RECORDS_Url/records/$_id" "" "DELETE") || return 1
  ! _contains "$response" '"error"' && _cleardomainconf RECORDS_Id
}

_records_prepare() {
  RECORDS_Url="${RECORDS_Url:-$(_readaccountconf_mutable RECORDS_Url)}"
  RECORDS_User="${RECORDS_User:-$(_readaccountconf_mutable RECORDS_User)}"
  RECORDS_Password="${RECORDS_Password:-$(_readaccountconf_mutable RECORDS_Password)}"
  RECORDS_Ttl="${RECORDS_Ttl:-$(_readaccountconf_mutable RECORDS_Ttl)}"
  RECORDS_Ttl="${RECORDS_Ttl:-60}"
  if [ -z "$RECORDS_Url" ] || [ -z "$RECORDS_User" ] || [ -z "$RECORDS_Password" ]; then
    _err "Set RECORDS_Url, RECORDS_User and RECORDS_Password."
    return 1
  fi
  _saveaccountconf_mutable RECORDS_Url "$RECORDS_Url"
  _session=$(_readaccountconf_mutable RECORDS_Session)
  [ -n "$_session" ] || _records_login || return 1
  export _H1="Authorization: Bearer $_session"
}

_records_login() {
  _body="user=$(printf '%s' "$RECORDS_User" | _url_encode)&nonce=$(_time)"
  _key=$(printf '%s' "$RECORDS_Password" | _hex_dump | tr -d ' ')
  export _H2="X-Signature: $(printf '%s' "$_body" | _hmac sha256 "$_key" hex)"
  response=$(_post "$_body" "$RECORDS_Url/login") || return 1
  _session=$(grep -i '^X-Session:' "$HTTP_HEADER" | cut -d ' ' -f 2 | tr -d '\r\n')
  if [ -z "$_session" ]; then
    _err "Cannot log in as $RECORDS_User with $RECORDS_Password: $(_head_n 1 <"$HTTP_HEADER" | tr -d '\r')"
    return 1
  fi
  _saveaccountconf_mutable RECORDS_Session "$_session"
  _secure_debug session "$_session"
  export _H2=
}

# Sets $_id, empty where there is no such record.
_records_find() {
  _name=$(printf '%s' "$fulldomain" | _url_encode)
  _digest_of_value=$(printf '%s' "$txtvalue" | _digest sha256 hex)
  response=$(_get "$RECORDS_Url/records?name=$_name" | _normalizeJson)
  _id=$(printf '%s' "$response" | _egrep_o "\"id\":\"[0-9]+\",\"digest\":\"$_digest_of_value\"" | _head_n 1 | cut -d '"' -f 4)
  if _contains "$response" '"error"'; then
    _err "The API does not show its records: $response"
    return 1
  fi
}
