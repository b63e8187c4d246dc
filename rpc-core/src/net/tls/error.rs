//! What a failed handshake means, in words that help whoever reads the log.

use std::io;

/// Adds what most likely happened to the error of a handshake.
pub(super) fn explain(error: io::Error) -> io::Error {
    let Some(cause) = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>())
    else {
        return if error.kind() == io::ErrorKind::UnexpectedEof {
            io::Error::new(
                error.kind(),
                "the peer closed the connection during the handshake: it may not speak TLS",
            )
        } else {
            error
        };
    };
    let hint = match cause {
        rustls::Error::InvalidMessage(_) => "the peer does not speak TLS",
        rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer) => {
            "the certificate was not signed by an authority that is trusted here"
        }
        rustls::Error::InvalidCertificate(
            rustls::CertificateError::NotValidForName
            | rustls::CertificateError::NotValidForNameContext { .. },
        ) => {
            "the certificate is for another name than what was dialled: `server_name` says which one to expect"
        }
        rustls::Error::NoApplicationProtocol => "no protocol in common by ALPN",
        _ => return error,
    };
    io::Error::new(error.kind(), format!("{hint} ({cause})"))
}
