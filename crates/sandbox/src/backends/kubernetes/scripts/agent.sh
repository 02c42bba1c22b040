# PID 1 of the container `agent`: collects orphans until the keeper says stop. It ignores the signals that a shell handles,
# and the kernel drops all others from inside, so that nothing in the container can end it. The pipe only wakes it up; what counts is a file
# that nobody in this container can make.
trap '' HUP INT QUIT ALRM TERM USR1 USR2
until [ -p /basis/stop ]; do sleep 0.05; done
until [ -e /basis/stopped ]; do
    cat /basis/stop > /dev/null &
    wait "$!"
done
