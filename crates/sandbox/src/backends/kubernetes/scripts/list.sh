# Runs in the keeper: lists everything below the working directory: kind, mode, size, time of the last change, path, target of a
# link. Locked directories are opened on the way and locked again at the end, the deepest first.
cd /basis/volumes/work/work || exit 1
locked=/basis/control/locked
find . -mindepth 1 -maxdepth 201 -printf '%y %m %s %C@ %p\0%l\0' -type d ! -perm -u+rwx -fprintf "$locked" '%m %p\0' \
    -execdir chmod u+rwx '{}' ';'
sort -rz -t ' ' -k 2 "$locked" | xargs -0 -r -n 1 sh -c 'chmod "${1%% *}" "${1#* }"' - 2> /dev/null
rm -f "$locked"
