# What scripts save from one call to the next, for an account or for one name; a file each while the script runs. The
# "mutable" ones have names of their own: variables of the account go before them.

# Sets $shim_saved.
shim_find() {
  case $2 in
    *[!A-Za-z0-9_]*) shim_saved=$shim_work/$1/$(printf '%s' "$2" | tr -c 'A-Za-z0-9_' '_') ;;
    *) shim_saved=$shim_work/$1/$2 ;;
  esac
}

shim_save() {
  shim_find "$1" "$2"
  printf '%s' "$3" >"$shim_saved"
}

shim_read() {
  shim_find "$1" "$2"
  [ ! -f "$shim_saved" ] || cat "$shim_saved"
}

shim_forget() {
  shim_find "$1" "$2"
  rm -f "$shim_saved"
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
  while read -r shim_scope shim_key shim_content; do
    case $shim_content in
      *%*) shim_content=$(printf '%s\n' "$shim_content" | shim_unescaped) ;;
    esac
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
      printf '%s %s ' "$shim_scope" "${shim_saved##*/}"
      shim_escaped <"$shim_saved"
      echo
    done
  done
}

# On one line without blanks, each of these and the per cent sign as in a URL.
shim_escaped() {
  awk 'NR > 1 { printf "%%0A" } {
    gsub(/%/, "%25"); gsub(/ /, "%20"); gsub(/\t/, "%09"); gsub(/\r/, "%0D")
    printf "%s", $0
  }'
}

shim_unescaped() {
  awk '{
    gsub(/%0A/, "\n"); gsub(/%0D/, "\r"); gsub(/%09/, "\t"); gsub(/%20/, " "); gsub(/%25/, "%")
    printf "%s", $0
  }'
}
