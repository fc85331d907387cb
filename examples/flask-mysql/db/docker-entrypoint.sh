#!/bin/bash
# Prepares the data directory on the first start, then becomes the server.
#   MYSQL_ROOT_PASSWORD  password of root; required on the first start
#   MYSQL_DATABASE       database to create, where the scripts run
# Files in /docker-entrypoint-initdb.d (*.sh, *.sql, *.sql.gz) run once, in the order of their names.
set -euo pipefail

data=/var/lib/mysql

temporary_server() {
  mariadbd --user=mysql --datadir="$data" --skip-networking --socket=/run/mysqld/init.sock &
  server=$!
  for _ in $(seq 600); do
    mariadb-admin --socket=/run/mysqld/init.sock ping >/dev/null 2>&1 && return
    kill -0 "$server" 2>/dev/null || break
    sleep 0.1
  done
  echo "entrypoint: the temporary server did not come up" >&2
  exit 1
}

run_scripts() {
  local file
  for file in /docker-entrypoint-initdb.d/*; do
    case "$file" in
      *.sh) echo "entrypoint: running $file"; . "$file" ;;
      *.sql) echo "entrypoint: running $file"; "$@" <"$file" ;;
      *.sql.gz) echo "entrypoint: running $file"; gunzip -c "$file" | "$@" ;;
    esac
  done
}

first_start() {
  : "${MYSQL_ROOT_PASSWORD:?MYSQL_ROOT_PASSWORD must be set on the first start}"
  chown -R mysql:mysql "$data"
  mariadb-install-db --user=mysql --datadir="$data" --skip-test-db --auth-root-authentication-method=normal >/dev/null
  temporary_server
  local password=${MYSQL_ROOT_PASSWORD//\'/\'\'}
  mariadb --socket=/run/mysqld/init.sock --user=root <<SQL
CREATE USER IF NOT EXISTS 'root'@'%' IDENTIFIED BY '$password';
GRANT ALL ON *.* TO 'root'@'%' WITH GRANT OPTION;
ALTER USER 'root'@'localhost' IDENTIFIED BY '$password';
${MYSQL_DATABASE:+CREATE DATABASE IF NOT EXISTS \`$MYSQL_DATABASE\`;}
SQL
  run_scripts mariadb --socket=/run/mysqld/init.sock --user=root --password="$MYSQL_ROOT_PASSWORD" ${MYSQL_DATABASE:+"$MYSQL_DATABASE"}
  mariadb-admin --socket=/run/mysqld/init.sock --user=root --password="$MYSQL_ROOT_PASSWORD" shutdown
  wait "$server"
}

if [ "${1:-}" = mariadbd ]; then
  [ -d "$data/mysql" ] || first_start
  exec mariadbd --user=mysql --datadir="$data" "${@:2}"
fi
exec "$@"
