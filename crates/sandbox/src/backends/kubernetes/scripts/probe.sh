# Runs in the keeper: ends with 0 if the API server cannot be reached from here, as the network policy has it. A policy may take some
# seconds to be in force.
[ -n "$KUBERNETES_SERVICE_HOST" ] || exit 3
command -v bash > /dev/null && command -v timeout > /dev/null || exit 4
for round in 1 2 3 4 5 6 7 8 9 10; do
    timeout 2 bash -c 'exec 9<> "/dev/tcp/$KUBERNETES_SERVICE_HOST/$KUBERNETES_SERVICE_PORT"' 2> /dev/null || exit 0
    sleep 1
done
exit 1
