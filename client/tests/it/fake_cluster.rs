//! An HTTP server in place of a resource manager: it sends the answers that a test has prepared, and keeps
//! the requests.

use crate::fixture::{Ended, Folder};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    pub path: String,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Asked {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

/// Status and body.
pub type Answer = (u16, String);

/// The connection ends without an answer.
pub const LOST: u16 = 0;

type Answers = Box<dyn Fn(&Asked) -> Option<Answer> + Send + Sync>;

#[derive(Clone)]
pub struct FakeCluster {
    pub address: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl FakeCluster {
    /// Answers what the function knows, and 404 in the form of a resource manager otherwise.
    pub fn new(answers: impl Fn(&Asked) -> Option<Answer> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound").to_string();
        let fake = Self { address, asked: Arc::default() };
        let (answers, asked): (Arc<Answers>, _) = (Arc::new(Box::new(answers)), fake.asked.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answers, asked) = (answers.clone(), asked.clone());
                thread::spawn(move || serve(stream, &answers, &asked));
            }
        });
        fake
    }

    /// The requests as `METHOD path`, in order.
    pub fn lines(&self) -> Vec<String> {
        self.all().iter().map(Asked::line).collect()
    }

    pub fn all(&self) -> Vec<Asked> {
        self.asked.lock().expect("not poisoned").clone()
    }

    /// The first request that begins so.
    #[track_caller]
    pub fn first(&self, line: &str) -> Asked {
        let found = self.all().into_iter().find(|asked| asked.line().starts_with(line));
        found.unwrap_or_else(|| panic!("{line} is missing in {:?}", self.lines()))
    }

    /// `weir` with the address and a token of this cluster.
    pub fn command(&self, folder: &Folder, arguments: &[&str]) -> Command {
        let mut command = folder.command(arguments);
        command
            .env("WEIR_CONF_YARN_RESOURCEMANAGER_WEBAPP_ADDRESS", &self.address)
            .env("WEIR_TOKEN", "secret");
        command
    }

    pub fn weir(&self, folder: &Folder, arguments: &[&str]) -> Ended {
        Ended::of(folder.start(&mut self.command(folder, arguments)))
    }
}

fn serve(mut stream: TcpStream, answers: &Answers, asked: &Mutex<Vec<Asked>>) {
    let mut reader = BufReader::new(stream.try_clone().expect("a socket"));
    while let Some(request) = read(&mut reader) {
        let answer = answers(&request).or_else(|| info(&request));
        let (status, body) = answer.unwrap_or_else(|| refusal(404, "WEIR-RM-0030", "no"));
        // Kept before it is answered, so that a test that has the answer sees it.
        asked.lock().expect("not poisoned").push(request.clone());
        if status == LOST {
            return;
        }
        let body = if request.method == "HEAD" { String::new() } else { body };
        let head = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\nx-weir-protocol: 1\r\n\
             content-length: {}\r\n\r\n",
            body.len()
        );
        if stream.write_all((head + &body).as_bytes()).is_err() {
            return;
        }
    }
}

/// It is of this release, unless a test says otherwise.
fn info(asked: &Asked) -> Option<Answer> {
    let info = serde_json::json!({"clusterInfo": {"weirVersion": env!("CARGO_PKG_VERSION")}});
    asked.path.ends_with("/ws/v1/cluster/info").then(|| ok(info)).flatten()
}

fn read(reader: &mut impl BufRead) -> Option<Asked> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read_bytes| *read_bytes > 0)?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let size = headers.get("content-length").and_then(|size| size.parse().ok()).unwrap_or(0);
    let mut body = vec![0; size];
    reader.read_exact(&mut body).ok()?;
    Some(Asked { method, path, headers, body })
}

/// An error in YARN's form.
pub fn refusal(status: u16, code: &str, message: &str) -> Answer {
    let body = serde_json::json!({"RemoteException": {
        "exception": "E", "javaClassName": "E", "message": message, "code": code,
    }});
    (status, body.to_string())
}

pub fn ok(body: Value) -> Option<Answer> {
    Some((200, body.to_string()))
}
