# Runs in the keeper: packs the files whose names come from standard input, whatever their modes are.
cd /basis/volumes/work/work || exit 1
names=/basis/control/names
cat > "$names"
tar -c --no-recursion --null --verbatim-files-from -T "$names" -f - --ignore-failed-read
rm -f "$names"
