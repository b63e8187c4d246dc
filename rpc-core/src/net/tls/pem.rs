//! PEM, given or in a file, with the name of the setting in what goes wrong.

use std::path::PathBuf;

use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject};

use crate::BuildError;

/// PEM text, or where it is.
#[derive(Clone)]
pub(super) enum Pem {
    Bytes(Vec<u8>),
    File(PathBuf),
}

impl Pem {
    /// The certificates in it: at least one.
    pub(super) fn certificates(
        &self,
        field: &'static str,
    ) -> Result<Vec<CertificateDer<'static>>, BuildError> {
        let bytes = self.read(field)?;
        let certificates: Vec<_> = CertificateDer::pem_slice_iter(&bytes)
            .collect::<Result<_, _>>()
            .map_err(|error| {
                BuildError::new(field, format!("this is not PEM: {error}")).with_source(error)
            })?;
        if certificates.is_empty() {
            let problem = "there is no certificate in it: PEM with `-----BEGIN CERTIFICATE-----` is wanted";
            return Err(BuildError::new(field, problem));
        }
        Ok(certificates)
    }

    /// The first private key in it.
    pub(super) fn key(&self, field: &'static str) -> Result<PrivateKeyDer<'static>, BuildError> {
        let bytes = self.read(field)?;
        PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| match error {
            pem::Error::NoItemsFound => BuildError::new(
                field,
                "there is no private key in it: PEM with PKCS #8, PKCS #1 or SEC1 is wanted, not encrypted",
            ),
            error => BuildError::new(field, format!("this is not PEM: {error}")).with_source(error),
        })
    }

    fn read(&self, field: &'static str) -> Result<Vec<u8>, BuildError> {
        match self {
            Self::Bytes(bytes) => Ok(bytes.clone()),
            Self::File(path) => std::fs::read(path).map_err(|error| {
                BuildError::new(field, format!("cannot read {}: {error}", path.display())).with_source(error)
            }),
        }
    }
}
