//! The beginning of a connection.

use std::{future::poll_fn, pin::Pin, task::Poll};

use bytes::BytesMut;
use rpc_core::transport::Io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

use crate::{
    io::Outbox,
    wire::{
        goaway,
        preface::{self, NoPreface, Settings},
    },
};

/// Reads the peer's preface and says ours; answers what was read beyond it.
pub(super) async fn handshake(
    io: &mut Box<dyn Io>,
    ours: &Settings,
) -> Result<(Settings, BytesMut), &'static str> {
    let mut theirs = BytesMut::new();
    let decoded = loop {
        match preface::decode(&theirs) {
            Ok(Some((peer, length))) => {
                let _ = theirs.split_to(length);
                break Ok(peer);
            }
            Err(no) => break Err(no),
            Ok(None) => match io.read_buf(&mut theirs).await {
                Ok(0) => return Err("it hung up"),
                Ok(_) => {}
                Err(_) => return Err("it broke"),
            },
        }
    };
    let why = match decoded {
        Ok(_) => None,
        Err(NoPreface::Version) => Some((goaway::VERSION, "no version in common")),
        Err(NoPreface::Foreign) => return Err("it speaks another protocol"),
        Err(NoPreface::Broken) => Some((goaway::PROTOCOL, "its preface is malformed")),
    };
    let out = answer(ours, why);
    if io.write_all(&out).await.is_err() || io.flush().await.is_err() {
        return Err("it broke");
    }
    match (decoded, why) {
        (Ok(peer), _) => Ok((peer, theirs)),
        (Err(_), why) => Err(why.map_or("its preface is malformed", |(_, why)| why)),
    }
}

/// Says to a peer that it comes too late, as far as that goes at once.
pub(super) async fn turn_away(io: &mut Box<dyn Io>, ours: &Settings) {
    let out = answer(ours, Some((goaway::STOPPING, "the server stops")));
    poll_fn(|cx| {
        // What is left unread when a connection is closed has the kernel break it off, and take along what is on its way.
        let _ = Pin::new(&mut *io).poll_read(cx, &mut ReadBuf::new(&mut [0; 512]));
        let _ = Pin::new(&mut *io).poll_write(cx, &out);
        let _ = Pin::new(&mut *io).poll_flush(cx);
        Poll::Ready(())
    })
    .await;
}

/// Our preface, and why there is nothing more to come.
fn answer(ours: &Settings, why: Option<(u16, &str)>) -> BytesMut {
    let mut out = BytesMut::new();
    ours.encode(&mut out);
    if let Some((reason, why)) = why {
        let queue = Outbox::new(usize::MAX);
        queue.lock().goaway(0, reason, why);
        out.extend_from_slice(queue.lock().buffer());
    }
    out
}
