# SPDX-License-Identifier: Apache-2.0
# Completion of perch for fish.

# Of the perch that --control or PERCH_CONTROL names; none where none runs.
function __perch_workers
    set -l words (commandline -opc)
    set -l control
    if set -l at (contains -i -- --control $words)
        set control --control $words[(math $at + 1)]
    end
    perch status --json $control 2>/dev/null | string match -rag '"([^"]*)":\{"state":"[^"]*","desired":'
end

# What follows -- is a command of its own.
function __perch_worker_command
    set -l words (commandline -opc)
    set -l at (contains -i -- -- $words)
    set -l command (string escape -- $words[(math $at + 1)..-1] 2>/dev/null)
    complete -C (string join ' ' -- $command (commandline -ct))
end

function __perch_given
    not contains -- -- (commandline -opc); and __fish_seen_subcommand_from $argv
end

complete -c perch -f
complete -c perch -n 'contains -- -- (commandline -opc)' -a '(__perch_worker_command)'
complete -c perch -n 'not contains -- -- (commandline -opc)' -s h -l help -d 'print help'
complete -c perch -n __fish_use_subcommand -l version -d 'print the version'

set -l command complete -c perch -n __fish_use_subcommand -a
$command run -d 'own the sockets and keep the workers running'
$command check -d 'validate, and print what would run, or what a reload would change'
$command doctor -d 'see what a command does with its sockets, and propose a configuration'
$command keep -d "keep a perch's sockets while it is killed and started again"
$command status -d 'what a running perch knows of its workers and listeners'
$command events -d 'what has happened, and what happens'
$command restart -d 'end a worker, start it anew, and wait until it is ready'
$command stop -d 'stop a worker; its socket stays, and clients wait'
$command start -d 'start a worker that is stopped, given up or backing off'
$command reload -d 'read the configuration again and apply what changed'
$command ready -d 'exit 0 if every required worker is ready'
$command install -d 'copy this program to a place where another image finds it'
$command version -d 'print the version'

set -l starter complete -c perch -n '__perch_given run check'
$starter -s c -l config -rF -d 'the configuration file'
$starter -l listen -rF -d 'a socket to own: [NAME=]PATH'
$starter -l handover -xa 'channel intercept listen-fds stdin' -d 'how the worker gets its listeners'
$starter -l intercept -d 'the worker binds its socket itself'
$starter -l policy -xa 'always on-failure never' -d 'when the worker is started again'
$starter -l control -rF -d 'the control socket, or none'
$starter -l keeper -rF -d 'the socket of a perch keep, or none'
$starter -l stop-timeout -x -d 'how long the worker may take to stop, such as 25s'
$starter -l log-format -xa 'auto json text' -d 'how perch logs'
complete -c perch -n '__perch_given check' -l diff -d 'what a reload would change'

complete -c perch -n '__perch_given install' -F

complete -c perch -n '__perch_given doctor' -l timeout -x -d 'how long it may take until it listens'

complete -c perch -n '__perch_given keep' -l socket -rF -d 'where perch finds the keeper'
complete -c perch -n '__perch_given keep' -l user -xa '(__fish_complete_users)' -d 'who may use it'

set -l client complete -c perch -n '__perch_given status events restart stop start reload ready'
$client -l control -rF -d 'the control socket of the perch to ask'
complete -c perch -n '__perch_given status restart stop start' -a '(__perch_workers)' -d worker
complete -c perch -n '__perch_given status' -l watch -d 'again and again'
complete -c perch -n '__perch_given status events' -l json -d 'for programs'
complete -c perch -n '__perch_given events' -s f -l follow -d 'go on with what happens'
complete -c perch -n '__perch_given events' -l since -x -d 'what came after this event'

set -l action complete -c perch -n '__perch_given restart stop start'
$action -l all -d 'every worker, one after another'
$action -l no-wait -d 'do not wait for the result'
$action -l timeout -x -d 'how long to wait for the result, such as 30s'
