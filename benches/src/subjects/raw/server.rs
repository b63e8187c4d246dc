//! The server: one task a connection echoes what it reads, and writes once a batch.

use std::{
    io,
    task::{Context, Poll, ready},
};

use tokio::net::{
    TcpStream,
    tcp::{OwnedReadHalf, OwnedWriteHalf},
};

use super::frames::{self, Frames};

/// Writes before it reads on when this much waits to be written.
const MUCH: usize = 256 * 1024;

/// Serves until the peer is gone.
pub(super) async fn serve(stream: TcpStream) {
    let (read, write) = stream.into_split();
    let mut connection = Connection {
        read,
        write,
        input: Frames::new(),
        output: Vec::new(),
        written: 0,
    };
    // Peers go away without a word when a measurement is over: no error is worth a report.
    let _ = std::future::poll_fn(|cx| connection.poll(cx)).await;
}

struct Connection {
    read: OwnedReadHalf,
    write: OwnedWriteHalf,
    input: Frames,
    output: Vec<u8>,
    written: usize,
}

impl Connection {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_flush(cx))?;
            if ready!(self.input.poll_fill(&mut self.read, cx))? == 0 {
                return Poll::Ready(Ok(()));
            }
            while self.output.len() < MUCH
                && let Some((id, body)) = self.input.next()
            {
                frames::write(&mut self.output, id, body);
            }
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            while self.written < self.output.len() {
                match self.write.try_write(&self.output[self.written..]) {
                    Ok(count) => self.written += count,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        ready!(self.write.as_ref().poll_write_ready(cx))?;
                    }
                    Err(error) => return Poll::Ready(Err(error)),
                }
            }
            self.output.clear();
            self.written = 0;
            // What was left because much waited to be written.
            while self.output.len() < MUCH
                && let Some((id, body)) = self.input.next()
            {
                frames::write(&mut self.output, id, body);
            }
            if self.output.is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}
