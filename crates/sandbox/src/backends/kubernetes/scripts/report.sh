# Runs in the keeper: passes on what a command writes to descriptor 3, until it ends or standard input does.
pipe=$1
mkfifo -m 600 "$pipe.new" && mv "$pipe.new" "$pipe" || exit 1
exec 9<&0
cat "$pipe" &
reader=$!
{ cat > /dev/null; sleep 0.2; kill "$reader"; } <&9 2> /dev/null &
watcher=$!
exec 9<&-
wait "$reader"
rm -f "$pipe"
kill -9 "$watcher" 2> /dev/null
exit 0
