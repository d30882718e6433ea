// SPDX-License-Identifier: Apache-2.0
// A daemon in Rust: usage: pong PATH; every request is answered by "pong".
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};

fn answer(mut client: UnixStream) -> std::io::Result<()> {
    let mut request = [0; 512];
    client.read(&mut request)?;
    client.write_all(b"pong\n")
}

fn main() -> std::io::Result<()> {
    let path = std::env::args().nth(1).expect("usage: pong PATH");
    let _ = std::fs::remove_file(&path);
    for client in UnixListener::bind(&path)?.incoming() {
        let client = client?;
        std::thread::spawn(move || answer(client));
    }
    Ok(())
}
