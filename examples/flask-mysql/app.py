"""A page that counts its visits in the database named by the environment."""

import os
import socket

import pymysql
from flask import Flask, render_template

app = Flask(__name__)


def connect():
    return pymysql.connect(
        host=os.environ.get("DB_HOST", "db"),
        user=os.environ.get("DB_USER", "root"),
        password=os.environ["DB_PASSWORD"],
        database=os.environ.get("DB_NAME", "flask_db"),
        autocommit=True,
        connect_timeout=5,
    )


@app.route("/")
def index():
    with connect() as database, database.cursor() as cursor:
        cursor.execute("INSERT INTO visits (host) VALUES (%s)", (socket.gethostname(),))
        cursor.execute("SELECT COUNT(*) FROM visits")
        (visits,) = cursor.fetchone()
        cursor.execute("SELECT text FROM greetings ORDER BY id LIMIT 1")
        (greeting,) = cursor.fetchone()
    return render_template("index.html", greeting=greeting, visits=visits, host=socket.gethostname())


@app.route("/health")
def health():
    with connect():
        return "ok\n"


if __name__ == "__main__":
    app.run(host="0.0.0.0", port=int(os.environ.get("PORT", "5000")))
