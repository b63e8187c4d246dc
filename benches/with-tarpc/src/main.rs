//! The measurements of `benches`, with the peers that change the features of everybody's dependencies.
//!
//! tarpc switches tracing's `log` on for the whole program. Its rows are compared with rows of this program alone.

mod tarpc;
mod volo_grpc;
mod volo_thrift;

use std::process::ExitCode;

use benches::Peer;

fn main() -> ExitCode {
    let mut peers = benches::over_sockets();
    peers.extend([
        Peer::with_sockets::<tarpc::Tarpc>(),
        Peer::new::<volo_grpc::VoloGrpc>(),
        Peer::new::<volo_thrift::VoloThrift>(),
    ]);
    benches::main("with-tarpc", &peers)
}
