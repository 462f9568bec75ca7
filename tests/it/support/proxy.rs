//! A network to break: a proxy in front of a port that can delay, stall, swallow and cut bytes.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// What the network does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weather {
    /// Bytes go through.
    Fair,
    /// Each piece of an answer comes so much later.
    Delay(Duration),
    /// Nothing goes through, nothing is closed.
    Stall,
    /// Questions arrive, answers do not.
    NoAnswers,
    /// The first byte of an answer goes through, then the connection is cut.
    CutInAnswer,
    /// Connections are cut, and new ones too.
    Cut,
}

/// A proxy on a port of its own; it ends with the test.
pub(crate) struct ChaosProxy {
    pub(crate) port: u16,
    weather: watch::Sender<Weather>,
    task: JoinHandle<()>,
}

impl ChaosProxy {
    /// A proxy in front of a port of this machine.
    pub(crate) async fn before(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let weather = watch::Sender::new(Weather::Fair);
        let task = tokio::spawn(serve(
            listener,
            SocketAddr::from(([127, 0, 0, 1], port)),
            weather.clone(),
        ));
        Self {
            port: own,
            weather,
            task,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn set(&self, weather: Weather) {
        self.weather.send_replace(weather);
    }
}

impl Drop for ChaosProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, target: SocketAddr, weather: watch::Sender<Weather>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        if *weather.borrow() != Weather::Cut {
            connections.spawn(connection(client, target, weather.subscribe()));
        }
    }
}

/// Carries one connection's bytes until one end closes it or the weather cuts it.
async fn connection(client: TcpStream, target: SocketAddr, mut weather: watch::Receiver<Weather>) {
    let Ok(server) = TcpStream::connect(target).await else {
        return;
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
        (client.into_split(), server.into_split());
    let mut at_questions = weather.clone();
    let questions = async {
        let mut bytes = [0; 65_536];
        while let Ok(n @ 1..) = from_client.read(&mut bytes).await {
            if at_questions
                .wait_for(|weather| *weather != Weather::Stall)
                .await
                .is_err()
            {
                return;
            }
            if to_server.write_all(&bytes[..n]).await.is_err() {
                return;
            }
        }
    };
    let mut at_answers = weather.clone();
    let answers = async {
        let mut bytes = [0; 65_536];
        while let Ok(n @ 1..) = from_server.read(&mut bytes).await {
            let through = at_answers.wait_for(|weather| !matches!(weather, Weather::Stall)).await;
            let Ok(weather) = through.map(|weather| *weather) else {
                return;
            };
            match weather {
                Weather::NoAnswers => continue,
                Weather::CutInAnswer => {
                    let _ = to_client.write_all(&bytes[..1]).await;
                    return;
                }
                // A delay is what this is for; nothing waits for it to have passed.
                Weather::Delay(delay) => drop(timeout(delay, std::future::pending::<()>()).await),
                Weather::Fair | Weather::Stall | Weather::Cut => {}
            }
            if to_client.write_all(&bytes[..n]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = questions => {}
        () = answers => {}
        _ = weather.wait_for(|weather| *weather == Weather::Cut) => {}
    }
}
