# What scripts save from one call to the next, for an account or for one name; a file each while the script runs. The
# "mutable" ones have names of their own: variables of the account go before them.

shim_file() {
  printf '%s/%s/%s' "$shim_work" "$1" "$(printf '%s' "$2" | tr -c 'A-Za-z0-9_' '_')"
}

shim_save() {
  printf '%s' "$3" >"$(shim_file "$1" "$2")"
}

shim_read() {
  shim_saved=$(shim_file "$1" "$2")
  [ ! -f "$shim_saved" ] || cat "$shim_saved"
}

shim_forget() {
  rm -f "$(shim_file "$1" "$2")"
}

_saveaccountconf() {
  shim_save account "$1" "$2"
}

_readaccountconf() {
  shim_read account "$1"
}

_clearaccountconf() {
  shim_forget account "$1"
}

_saveaccountconf_mutable() {
  shim_forget account "$1"
  shim_save account "SAVED_$1" "$2"
}

_readaccountconf_mutable() {
  shim_read account "SAVED_$1"
}

_clearaccountconf_mutable() {
  shim_forget account "$1"
  shim_forget account "SAVED_$1"
}

_savedomainconf() {
  shim_save domain "$1" "$2"
}

_readdomainconf() {
  shim_read domain "$1"
}

_cleardomainconf() {
  shim_forget domain "$1"
}

# Takes the memory from stdin. What an account saved plainly is a variable again, as it is in acme.sh.
shim_recall() {
  while read -r shim_scope shim_key shim_encoded; do
    shim_content=$(printf '%s' "$shim_encoded" | _dbase64)
    shim_save "$shim_scope" "$shim_key" "$shim_content"
    case $shim_scope/$shim_key in
      account/SAVED_* | account/[0-9]*) ;;
      account/*) eval "[ -n \"\${$shim_key+set}\" ]" || export "$shim_key=$shim_content" ;;
    esac
  done
}

shim_report() {
  for shim_scope in account domain; do
    for shim_saved in "$shim_work/$shim_scope"/*; do
      [ -f "$shim_saved" ] || continue
      printf '%s %s %s\n' "$shim_scope" "${shim_saved##*/}" "$(_base64 <"$shim_saved")"
    done
  done
}
