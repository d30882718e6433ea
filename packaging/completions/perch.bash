# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Completion of perch for bash; needs nothing but bash.

# Of the perch that --control or PERCH_CONTROL names; none where none runs.
_perch_workers() {
  local i control=()
  for ((i = 1; i < COMP_CWORD; ++i)); do
    [[ ${COMP_WORDS[i]} == --control ]] && control=(--control "${COMP_WORDS[i + 1]}")
  done
  perch status --json "${control[@]}" 2> /dev/null |
    grep -o '"[^"]*":{"state":"[^"]*","desired":' | cut -d'"' -f2
}

_perch_commands='run check doctor keep status events restart stop start reload ready install version'

_perch_words() { mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2"); }

_perch_files() {
  mapfile -t COMPREPLY < <(compgen -f -- "$1")
  compopt -o filenames 2> /dev/null
}

# _perch_value OPTION WORD: false where the option takes no value.
_perch_value() {
  case $1 in
    -c | --config | --control | --listen | --keeper | --socket | =) _perch_files "$2" ;;
    --handover) _perch_words 'channel intercept listen-fds stdin' "$2" ;;
    --policy) _perch_words 'always on-failure never' "$2" ;;
    --log-format) _perch_words 'auto json text' "$2" ;;
    --stop-timeout | --timeout | --since | --user) ;;
    *) return 1 ;;
  esac
}

_perch_options() {
  local start='-c --config --listen --handover --intercept --policy --control'
  start+=' --keeper --stop-timeout --log-format'
  case $1 in
    run) echo "$start" ;;
    check) echo "$start --diff" ;;
    doctor) echo '--timeout' ;;
    keep) echo '--socket --user' ;;
    status) echo '--watch --json --control' ;;
    events) echo '-f --follow --since --json --control' ;;
    restart | stop | start) echo '--all --no-wait --timeout --control' ;;
    reload | ready) echo '--control' ;;
    '') echo '--version' ;;
  esac
  echo '-h --help'
}

_perch() {
  local word=${COMP_WORDS[COMP_CWORD]} command='' i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; ++i)); do
    case ${COMP_WORDS[i]} in
      --) # what follows is a command of its own
        if ((i + 1 == COMP_CWORD)); then
          mapfile -t COMPREPLY < <(compgen -c -- "$word")
        else
          _perch_files "$word"
        fi
        return ;;
      *) [[ " $_perch_commands " == *" ${COMP_WORDS[i]} "* ]] && command=${command:-${COMP_WORDS[i]}} ;;
    esac
  done
  _perch_value "${COMP_WORDS[COMP_CWORD - 1]}" "$word" && return
  case $word:$command in
    -*) _perch_words "$(_perch_options "$command")" "$word" ;;
    *:status | *:restart | *:stop | *:start) _perch_words "$(_perch_workers)" "$word" ;;
    *:install) _perch_files "$word" ;;
    *:) _perch_words "$_perch_commands" "$word" ;;
  esac
}

complete -F _perch perch
