//! A process of its own that writes until it is ended or cannot go on. It is one of these tests, which does nothing by itself.

use crate::place::{report, write};
use entitlement_operator::store::{PersistentStore, StoreAddress};
use std::{
    env,
    io::{BufRead as _, BufReader, Lines},
    process::{Child, ChildStdout, Command, Stdio},
};

const ADDRESS: &str = "STORE_OF_THE_CHILD";

/// Writes one register after the other, and says of each when it was acknowledged.
#[tokio::test]
#[ignore = "the other tests run it in a process of its own"]
async fn writes_until_it_is_ended() {
    let Ok(address) = env::var(ADDRESS) else { return };
    let store = PersistentStore::open(&address.parse().unwrap()).await.unwrap();
    for number in 0.. {
        match write(&store, "acme", vec![report(&number.to_string(), number, "1")]).await {
            Ok(_) => println!("acknowledged {number}"),
            Err(error) => {
                println!("refused {error:?}");
                return;
            }
        }
    }
}

pub struct Writer {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Writer {
    pub fn start(address: &StoreAddress) -> Self {
        let mut command = Command::new(env::current_exe().unwrap());
        command
            .args(["--exact", "child::writes_until_it_is_ended", "--ignored", "--nocapture"])
            .env(ADDRESS, address.to_string())
            .stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// The next register that was acknowledged; none when there are no more.
    pub fn acknowledged(&mut self) -> Option<i64> {
        let mut numbers = self.lines.by_ref().map_while(Result::ok);
        numbers.find_map(|line| Some(line.split_once("acknowledged ")?.1.parse().unwrap()))
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
