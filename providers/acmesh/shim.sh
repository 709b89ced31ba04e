#!/bin/sh
# Runs one function of a dnsapi script of acme.sh, without acme.sh: what such scripts expect around them is here and in
# the files beside this one.
#
#   shim.sh add|rm SCRIPT NAME    Value and memory come on stdin, memory and facts go to stdout; see below.
#   shim.sh check SCRIPT          Whether the script loads here.
#
# stdin:  the TXT value, then what the script had saved before, a line each: "account|domain KEY CONTENT", with blanks,
#         line breaks and per cent signs of the content as in a URL.
# stdout: "begin"; "status CODE [RETRY-AFTER]" of the last HTTP response, 0 when there was none; all that is saved now,
#         as above; "end". The script's own stdout goes nowhere.
# stderr: "<3>" an error, "<6>" and "<7>" talk, all else from programs that the script runs.
umask 077

shim_parts=${0%/*}
# shellcheck source=/dev/null
for shim_part in talk text crypt http memory; do . "$shim_parts/$shim_part.sh" || exit 1; done

shim_verb=$1
shim_script=$2
shim_name=$3
shim_api=${shim_script##*/}
shim_api=${shim_api%.sh}
shim_work=$(mktemp -d "${TMPDIR:-/tmp}/acme-agent-dnsapi.XXXXXX") || exit 1
trap 'rm -rf "$shim_work"' EXIT
trap 'exit 143' HUP INT PIPE TERM

# What scripts read beside the variables of their account.
# shellcheck disable=SC2034
{
  HTTP_HEADER=$shim_work/headers
  LE_WORKING_DIR=$shim_work
  LE_CONFIG_HOME=$shim_work
  ACME_OPENSSL_BIN=${ACME_OPENSSL_BIN:-openssl}
  USER_AGENT=${USER_AGENT:-acme-agent}
  DEBUG_LEVEL_1=1 DEBUG_LEVEL_2=2 DEBUG_LEVEL_3=3
}
export HTTP_HEADER LE_WORKING_DIR LE_CONFIG_HOME ACME_OPENSSL_BIN USER_AGENT
[ -w "${HOME:-/}" ] || export HOME="$shim_work"

# Some scripts leave files where they run.
mkdir "$shim_work/account" "$shim_work/domain" "$shim_work/files" && cd "$shim_work/files" || exit 1

shim_check() (
  for shim_tool in curl "$ACME_OPENSSL_BIN" sed grep awk od tr cut date mktemp; do
    _exists "$shim_tool" || { _err "the program $shim_tool is not there"; exit 1; }
  done
  shim_load || exit 1
  for shim_function in "${shim_api}_add" "${shim_api}_rm"; do
    _exists "$shim_function" || { _err "$shim_script has no function $shim_function"; exit 1; }
  done
)

# shellcheck source=/dev/null
shim_load() {
  [ -r "$shim_script" ] || { _err "$shim_script is not there, or user $(id -un) may not read it"; return 1; }
  set --
  . "$shim_script"
}

# In a subshell, which a script may leave by exit.
shim_run() (
  shim_load || exit 1
  _exists "${shim_api}_$shim_verb" || { _err "$shim_script has no function ${shim_api}_$shim_verb"; exit 1; }
  "${shim_api}_$shim_verb" "$shim_name" "$1"
)

if [ "$shim_verb" = check ]; then
  shim_check </dev/null >/dev/null
  exit
fi

IFS= read -r shim_value
shim_recall
# Beside us, so that a signal is heard at once: a script that ignores it must not keep our folder from being removed.
shim_run "$shim_value" </dev/null >/dev/null &
wait "$!"
shim_code=$?
echo begin
shim_status
shim_report
echo end
exit "$shim_code"
