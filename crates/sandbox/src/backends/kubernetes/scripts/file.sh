# Runs in the keeper: reads or writes one file below the working directory, following no link.
#   verb   `read` or `write`, set above
#   limit  how many bytes may be read
# and, as "$@", the names on the way to the file. What is locked is opened, and locked again afterwards.
# Ends with 81 when there is no such file, 82 when it is not a regular one, 83 when it is too long, 84 when there is no room.
umask 022

# In a directory: goes through the first name to the rest.
walk() {
    [ "$#" -gt 1 ] || { "$verb" "$1"; return; }
    [ -L "./$1" ] && return 82
    if [ ! -e "./$1" ]; then
        [ "$verb" = write ] || return 81
        mkdir "./$1" || return 84
    fi
    [ -d "./$1" ] || return 81
    local name="$1" mode= place= result=
    if ! { [ -r "./$1" ] && [ -w "./$1" ] && [ -x "./$1" ]; }; then
        mode=$(stat -c %a "./$1")
        chmod u+rwx "./$1" || return 82
    fi
    place=$(pwd -P; echo .)
    cd -P "./$1" 2> /dev/null || return 82
    shift
    # Where the kernel says that this is: a link put there meanwhile would lead elsewhere.
    if [ "$(pwd -P; echo .)" = "${place%
.}/$name
." ]; then
        walk "$@"
        result=$?
    else
        result=82
    fi
    cd -P .. || return 82
    [ -z "$mode" ] || chmod "$mode" "./$name"
    return "$result"
}

regular() {
    [ -L "./$1" ] && return 82
    [ -e "./$1" ] || return 81
    [ -f "./$1" ] || return 82
}

read() {
    regular "$1" || return
    local mode= size=
    size=$(stat -c %s "./$1")
    if [ "$size" -gt "$limit" ]; then
        echo "$size" >&2
        return 83
    fi
    if [ ! -r "./$1" ]; then
        mode=$(stat -c %a "./$1")
        chmod u+r "./$1"
    fi
    dd if="./$1" bs=65536 iflag=nofollow,nonblock status=none | head -c "$((limit + 1))"
    [ -z "$mode" ] || chmod "$mode" "./$1"
}

write() {
    local mode= new=
    regular "$1"
    case $? in
        0) ;;
        81) new=yes ;;
        *) return 82 ;;
    esac
    if [ -z "$new" ] && [ ! -w "./$1" ]; then
        mode=$(stat -c %a "./$1")
        chmod u+w "./$1"
    fi
    if ! dd of="./$1" bs=65536 iflag=fullblock oflag=nofollow status=none; then
        [ -z "$new" ] || rm -f "./$1"
        [ -z "$mode" ] || chmod "$mode" "./$1"
        return 84
    fi
    [ -z "$mode" ] || chmod "$mode" "./$1"
}

cd /basis/volumes/work/work || exit 81
walk "$@"
