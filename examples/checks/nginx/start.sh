#!/bin/sh
# Runs nginx with the token that the kubelet gives, and with each new one: nginx itself reads it once.
set -eu

write_token() {
	umask 077
	printf 'proxy_set_header Authorization "Bearer %s";\n' "$(cat /var/run/entitlements/token)" >/tmp/token.new
	mv /tmp/token.new /tmp/token.conf
}

write_token
while sleep 60; do
	if ! grep -qF "$(cat /var/run/entitlements/token)" /tmp/token.conf; then
		write_token
		nginx -c /etc/nginx/nginx.conf -s reload
	fi
done &
exec nginx -c /etc/nginx/nginx.conf -g 'daemon off;'
