# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Completion of perch-peer for bash; needs nothing but bash.

# Of the peer that --socket or PERCH_PEER_SOCKET names; none where none runs.
_perch_peer_tasks() {
  local i socket=()
  for ((i = 1; i < COMP_CWORD; ++i)); do
    [[ ${COMP_WORDS[i]} == --socket ]] && socket=(--socket "${COMP_WORDS[i + 1]}")
  done
  perch-peer ls --timeout 1 "${socket[@]}" 2> /dev/null | cut -f1
}

_perch_peer_words() { mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2"); }

_perch_peer_options() {
  case $1 in
    serve)
      local limits='--max-clients --max-streams --max-downloads --max-queued --idle-timeout'
      local origin='--connections --connections-in-all --rate --rate-per-task --upstream-proxy'
      echo "--store --store-max --store-age --socket --metrics --ca-file $origin $limits" ;;
    get)
      echo '-O --output -f --force --digest --range --tag --header --output-by-peer --hard-link'
      echo '-q --quiet --socket --timeout' ;;
    stat) echo '--socket --timeout --tag --json' ;;
    ls) echo '--socket --timeout --json' ;;
    rm) echo '--socket --timeout --tag' ;;
    '') echo '--version' ;;
  esac
  echo '-h --help'
}

_perch_peer() {
  local commands='serve get stat ls rm version' command='' i
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; ++i)); do
    [[ " $commands " == *" ${COMP_WORDS[i]} "* ]] && command=${command:-${COMP_WORDS[i]}}
  done
  if [[ $word == -* ]]; then
    _perch_peer_words "$(_perch_peer_options "$command")" "$word"
    return
  fi
  case $before in
    -O | --output | --store | --socket | --metrics | --ca-file | =)
      mapfile -t COMPREPLY < <(compgen -f -- "$word")
      compopt -o filenames 2> /dev/null
      return ;;
    --json) ;;
    --*) return ;; # a value that nobody can guess
  esac
  case $command in
    stat | rm) _perch_peer_words "$(_perch_peer_tasks)" "$word" ;;
    '') _perch_peer_words "$commands" "$word" ;;
  esac
}

complete -F _perch_peer perch-peer
