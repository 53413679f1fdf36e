# Runs one program of a control plane, and ends it as soon as its owner says so or is gone.
#
# Arguments: FOLDER NAME ABANDONED PROGRAM [ARGUMENT...]
# Standard input is a pipe whose other end the owner alone holds. A line on it is an order: `stop`, or `kill`.
# Its end without an order means that the owner is gone, by whatever cause; then ABANDONED is the order: `stop`, or
# `discard`, which is `kill` and takes the folder away with the plane's last program.
# Standard output and error are files that the owner has locked. They stay open here and are never written to, so
# that the locks last until the program has ended, and not just until the owner has.
folder=$1 name=$2 abandoned=$3
shift 3
exec 3<&0 4>&1 5>&2 </dev/null >>"$folder/$name.log" 2>&1
: >"$folder/$name.running"

"$@" 3<&- 4>&- 5>&- &
program=$!

(
	read -r order <&3 || order=$abandoned
	# From here on the program is ended by this order, and the signal below would come too late to mean anything.
	trap '' TERM
	if [ "$order" = stop ]; then
		kill -TERM "$program"
		# An API server that has watches open takes a minute to end by itself.
		tenths=30
		while [ "$tenths" -gt 0 ] && kill -0 "$program"; do
			sleep 0.1
			tenths=$((tenths - 1))
		done
	fi
	kill -KILL "$program"
	[ "$order" != discard ]
) 2>/dev/null &
listener=$!

wait "$program"
code=$?
kill -TERM "$listener" 2>/dev/null
wait "$listener"
heard=$?

rm -f "$folder/$name.running"
# 1 is an obeyed `discard`. Each program takes its own mark away first, so the last one finds none.
if [ "$heard" -eq 1 ]; then
	set -- "$folder"/*.running
	[ -e "$1" ] || rm -rf "$folder"
fi
exit "$code"
