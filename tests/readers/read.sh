# Sources each file of a folder and prints what a child process then has in its environment: NAME=value entries that
# end with a NUL, and a NUL more after each file.
for file in "$1"/*; do
    (
        set -a
        . "$file"
        exec env -0
    ) || exit
    printf '\0'
done
