# Runs in the keeper as long as the controller is there: its standard input ends with the controller, and then the sandbox does.
cat > /dev/null
: > /basis/control/agent/stopped
for round in 1 2 3; do
    echo stop 1<> /basis/control/agent/stop
    echo stop 1<> /basis/control/stop
    sleep 0.2
done
