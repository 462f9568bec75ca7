//! The built `moderato` command as a child process. It is ended when the test ends, however the test ends.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::thread::JoinHandle;

use moderato::api::grpc::proto::moderation_service_client::ModerationServiceClient;
use tonic::transport::Channel;

/// A command that inherits nothing of moderato's environment.
pub(crate) fn moderato(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_moderato"));
    command.args(args).stdin(Stdio::null());
    for name in [
        "MODERATO_CA",
        "MODERATO_CONFIG",
        "MODERATO_KEY",
        "MODERATO_REDIS_URL",
        "MODERATO_PSEUDONYM_KEY",
        "MODERATO_PSEUDONYM_KEY_FILE",
        "MODERATO_PSEUDONYM_KEY_PREVIOUS",
        "MODERATO_PSEUDONYM_KEY_PREVIOUS_FILE",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
    ] {
        command.env_remove(name);
    }
    // Not the port that an operator expects it on: many services run at once here, and tests have no fixed ports.
    command.env("MODERATO_OPS_LISTEN", "none");
    command
}

/// Runs a command to its end.
pub(crate) fn run(args: &[&str]) -> Output {
    moderato(args).output().unwrap()
}

/// Runs a command to its end with this on its standard input.
pub(crate) fn run_with_input(args: &[&str], input: &str) -> Output {
    let mut child = moderato(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// Standard output as text.
pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Standard error as text.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A running `moderato serve` on a free port.
pub(crate) struct Service {
    child: Child,
    /// Kept open: a service whose standard output is closed would still run, but the test reads the rest at the end.
    stdout: BufReader<ChildStdout>,
    logs: Option<JoinHandle<String>>,
    /// Where it listens.
    pub(crate) address: String,
}

impl Service {
    /// Starts it with more arguments, and waits until it says that it is listening.
    pub(crate) fn start(args: &[&str]) -> Self {
        Self::start_from(&mut moderato(&[&["serve", "--listen", "127.0.0.1:0"], args].concat()))
    }

    /// Starts a prepared command.
    pub(crate) fn start_from(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = child.stderr.take().unwrap();
        let logs = std::thread::spawn(move || {
            let mut text = String::new();
            stderr.read_to_string(&mut text).unwrap();
            text
        });
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let Some(address) = line.trim().strip_prefix("listening on grpc ") else {
            let status = child.wait().unwrap();
            panic!("the service did not start ({status}): {}", logs.join().unwrap());
        };
        Self {
            child,
            stdout,
            logs: Some(logs),
            address: address.to_owned(),
        }
    }

    /// The next line that it prints.
    pub(crate) fn next_line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    /// Its address as a URL.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A connection.
    pub(crate) async fn channel(&self) -> Channel {
        Channel::from_shared(self.url()).unwrap().connect().await.unwrap()
    }

    /// A client.
    pub(crate) async fn client(&self) -> ModerationServiceClient<Channel> {
        ModerationServiceClient::new(self.channel().await)
    }

    /// Sends a signal by name, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args(["-s", name, &self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(status.success());
    }

    /// Waits for its end: the exit code, the rest of standard output, and the logs.
    pub(crate) fn wait(mut self) -> (Option<i32>, String, String) {
        let status = self.child.wait().unwrap();
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        let logs = self.logs.take().unwrap().join().unwrap();
        (status.code(), rest, logs)
    }

    /// Stops it as an operator would, and waits.
    pub(crate) fn stop(self) -> (Option<i32>, String, String) {
        self.signal("TERM");
        self.wait()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It has ended already where the test waited for it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
