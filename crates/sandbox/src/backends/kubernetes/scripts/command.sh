# Runs in the agent's container and starts one command, given as variables set above:
#   token      ends each stream, so that a daemon that holds one open is not waited for
#   cwd        where the command starts
#   processes  how many processes this user may have
#   crowd      how many processes the sandbox may have
#   blocks     how long a file may be, holes included, in units of 512 bytes
#   report     the pipe that is the command's descriptor 3, or nothing
# and, as "$@", variables and argv for `env -i`. Nothing here is written to disk.
umask 022
stopped=
leader=
crowded=

refusals() {
    kills=0
    for file in /sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control; do
        [ -r "$file" ] || continue
        while read -r key value; do
            [ "$key" = oom_kill ] && kills=$value
        done < "$file"
    done
}

# Given all processes and threads of the container: whether there are as many as there may be. Nothing is started to find out, because then
# nothing can be.
look_around() {
    [ "$#" -ge "$crowd" ] && crowded=yes
}

# Kills what is left of the command's session; what forks faster than it is killed is ended with all the rest.
end_session() {
    round=0
    while [ "$round" -lt 100 ]; do
        round=$((round + 1))
        found=
        for file in /proc/[0-9]*/stat; do
            whole=
            { while read -r line || [ -n "$line" ]; do whole="$whole $line"; done < "$file"; } 2> /dev/null || continue
            # The name may contain anything, so count from the last parenthesis: state, parent, group, session.
            set -- ${whole##*) }
            { [ "$4" = "$leader" ] && [ "$1" != Z ] && [ "$1" != X ]; } || continue
            pid=${file#/proc/}
            kill -9 "${pid%/stat}" 2> /dev/null && found=yes
        done
        [ -z "$found" ] && return
    done
    kill -9 -1
}

tell() {
    printf '%s' "$token"
    printf '%s' "$token" >&2
    if [ -z "$BASH_VERSION" ]; then jobs -l >&2; else printf '?' >&2; fi
    printf '|%s|%s|%s|%s|%s' "$ended" "$((kills - before))" "$full" "$crowded" "$token" >&2
    exit 0
}

finish() {
    ended=$1
    [ -n "$leader" ] && end_session
    refusals
    full=
    # A shell that can start nothing any more, because daemons have taken every process, ends there and then; it tells all the same.
    trap tell EXIT
    [ "$(stat -f -c %a /tmp 2> /dev/null)" = 0 ] && full=yes
    exit 0
}

cd -- "$cwd" 2> /dev/null || {
    printf 'sandbox: %s: no such directory\n' "$cwd" >&2
    before=0
    finish 127
}
refusals
before=$kills
if [ -n "$report" ]; then
    until [ -p "$report" ]; do sleep 0.01; done
    exec 7> "$report"
fi
exec 8<&0 < /dev/null
if [ -n "$BASH_VERSION" ]; then ulimit -u "$processes"; else ulimit -p "$processes"; fi
ulimit -c 0
ulimit -f "$blocks"
trap 'stopped=yes' TERM
trap 'interrupted=yes; kill -INT "-$leader"' USR1
if [ -n "$report" ]; then
    (exec 3>&7 7>&- <&8 8<&-; exec setsid env -i "$@") &
else
    (exec 3>&- <&8 8<&-; exec setsid env -i "$@") &
fi
leader=$!
[ -n "$report" ] && exec 7>&-
exec 8<&-
interrupted=yes
while [ -n "$interrupted" ]; do
    interrupted=
    { wait "$leader"; status=$?; } 2> /dev/null
done
# What failed may have failed for want of processes; the kernel keeps no count of that.
[ "$status" != 0 ] && look_around /proc/[0-9]*/task/[0-9]*
# Whoever is late loses what it left in other sessions too.
[ -n "$stopped" ] && kill -9 -1 2> /dev/null
finish "$status"
