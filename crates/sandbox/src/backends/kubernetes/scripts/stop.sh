# Runs in the keeper: lets the container `agent` end. Opened for both ways, a pipe without a reader does not block.
: > /basis/control/agent/stopped
echo stop 1<> /basis/control/agent/stop
