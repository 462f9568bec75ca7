//! Real redis-server processes on free ports, each with its own directory; they end with the test.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use redis::{Connection, FromRedisValue, RedisResult};
use tempfile::TempDir;

use super::eventually::eventually;

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A redis-server.
pub(crate) struct RedisServer {
    child: Child,
    pub(crate) port: u16,
    args: Vec<String>,
    /// Where it keeps its data, and what else it needs.
    files: Vec<TempDir>,
}

impl RedisServer {
    /// A server with the usual settings, without persistence.
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// A server with more settings, as on its command line: `&["--maxmemory", "1mb"]`.
    pub(crate) async fn start_with(args: &[&str]) -> Self {
        // Another process may take the port first: then this server ends, and another port is tried.
        for _ in 0..20 {
            let dir = tempfile::tempdir().unwrap();
            let port = free_port();
            let args: Vec<String> = args.iter().map(ToString::to_string).collect();
            let child = spawn(port, &args, &dir);
            let mut server = Self {
                child,
                port,
                args,
                files: vec![dir],
            };
            if server.came_up().await {
                return server;
            }
        }
        panic!("no port for a redis-server");
    }

    /// A sentinel with these lines in its file.
    pub(crate) async fn start_sentinel(lines: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("sentinel.conf");
        std::fs::write(&file, lines).unwrap();
        let mut server = Self::start_with(&[file.to_str().unwrap(), "--sentinel"]).await;
        server.files.push(dir);
        server
    }

    /// Its URL.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// A connection for the test's own questions.
    pub(crate) fn connection(&self) -> Connection {
        redis::Client::open(self.url()).unwrap().get_connection().unwrap()
    }

    /// Asks it something; one that is not there is an error.
    pub(crate) fn ask<T: FromRedisValue>(&self, command: &[&str]) -> RedisResult<T> {
        let mut connection = redis::Client::open(self.url())?.get_connection()?;
        redis::cmd(command[0]).arg(&command[1..]).query(&mut connection)
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again on its port, after a kill.
    pub(crate) async fn restart(&mut self) {
        self.child = spawn(self.port, &self.args, &self.files[0]);
        assert!(self.came_up().await, "redis-server came back");
    }

    /// Stops it as it stands: it answers nothing, and its connections stay open.
    pub(crate) fn pause(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on.
    pub(crate) fn resume(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let status = Command::new("kill")
            .args([signal, &self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(status.success());
    }

    /// Waits until it answers; false if it ended instead.
    async fn came_up(&mut self) -> bool {
        let mut ended = false;
        eventually("redis-server answers", async || {
            ended = self.child.try_wait().unwrap().is_some();
            ended || self.answers()
        })
        .await;
        !ended
    }

    /// Whether this very process answers at the port, rather than another test's.
    fn answers(&self) -> bool {
        let Ok(client) = redis::Client::open(self.url()) else {
            return false;
        };
        let Ok(mut connection) = client.get_connection_with_timeout(std::time::Duration::from_millis(200)) else {
            return false;
        };
        let info: RedisResult<String> = redis::cmd("INFO").arg("server").query(&mut connection);
        match info {
            Ok(info) => {
                // INFO answers while the data is being loaded, PING does not.
                info.contains(&format!("process_id:{}\r", self.child.id()))
                    && redis::cmd("PING").exec(&mut connection).is_ok()
            }
            // It asks for a password: it is up, and a foreign process on this port is not likely to.
            Err(error) => matches!(error.code(), Some("NOAUTH" | "NOPERM")),
        }
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // A stopped process dies of SIGKILL too.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(port: u16, args: &[String], dir: &TempDir) -> Child {
    let mut command = Command::new("redis-server");
    // A configuration file comes first.
    let (file, args) = args.split_at(args.iter().take_while(|arg| arg.starts_with('/')).count());
    command
        .args(file)
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--dir"])
        .arg(dir.path())
        .args(args);
    if !args.iter().any(|arg| arg == "--sentinel") {
        command.args(["--save", ""]);
    }
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start redis-server ({error}); install it: apt-get install redis-server"))
}
