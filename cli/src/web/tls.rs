//! What does the server say of itself, and of its clients? rustls' configuration, from a web-config file's.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion, version};

use super::client::{Any, Named};
use crate::config::web::{ClientAuth, Pem, Tls, Version};

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    /// A file can't be read.
    #[error("read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It does not hold what it should.
    #[error("find {what} in {place}")]
    Pem {
        /// A certificate, a key.
        what: &'static str,
        /// The file.
        place: String,
        /// What is wrong with it.
        source: pem::Error,
    },
    /// The certificate does not go with the key, or is none.
    #[error("use the certificate in {place}")]
    Certificate {
        /// The file.
        place: String,
        /// Why not.
        source: rustls::Error,
    },
    /// An authority is none.
    #[error("use the authority of clients in {place}")]
    Authority {
        /// The file.
        place: String,
        /// Why not.
        source: VerifierBuilderError,
    },
    /// Nothing is left that both sides could speak.
    #[error("none of {names} is spoken; there are: {known}")]
    NothingSpoken {
        /// What was wanted.
        names: String,
        /// What there is.
        known: String,
    },
    /// A client's name is of a kind that is not compared.
    #[error("compare clients' certificates with `{name}`: only host names and addresses are")]
    ClientName {
        /// The name.
        name: String,
    },
}

/// Reads the certificates and puts everything together.
pub(super) fn server(tls: &Tls) -> Result<ServerConfig, TlsError> {
    let provider = Arc::new(provider(tls)?);
    let versions: Vec<&'static SupportedProtocolVersion> = [
        (Version::Tls12, &version::TLS12),
        (Version::Tls13, &version::TLS13),
    ]
    .into_iter()
    .filter(|(version, _)| (tls.versions.0..=tls.versions.1).contains(version))
    .map(|(_, spoken)| spoken)
    .collect();
    let refused = |source| TlsError::Certificate {
        place: place(&tls.certificate),
        source,
    };
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&versions)
        .map_err(refused)?;
    let builder = match clients(tls, &provider)? {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let key = PrivateKeyDer::from_pem_slice(&read(&tls.key)?).map_err(|source| TlsError::Pem {
        what: "a private key",
        place: place(&tls.key),
        source,
    })?;
    let mut config = builder
        .with_single_cert(certificates(&tls.certificate)?, key)
        .map_err(refused)?;
    config.ignore_client_order = tls.own_order;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// The files that it is made of.
pub(super) fn files(tls: &Tls) -> impl Iterator<Item = &PathBuf> {
    [
        Some(&tls.certificate),
        Some(&tls.key),
        tls.client_authority.as_ref(),
    ]
    .into_iter()
    .flatten()
    .filter_map(|pem| match pem {
        Pem::File(path) => Some(path),
        Pem::Inline(_) => None,
    })
}

/// Suites and groups by preference. What others speak and we don't is left out, so that a file can serve all exporters.
fn provider(tls: &Tls) -> Result<CryptoProvider, TlsError> {
    let mut provider = ring::default_provider();
    if !tls.suites.is_empty() {
        let known = provider.cipher_suites.clone();
        let is_new = |suite: &&rustls::SupportedCipherSuite| suite.tls13().is_some();
        let name = |suite: &rustls::SupportedCipherSuite| format!("{:?}", suite.suite());
        let mut chosen: Vec<_> = known.iter().filter(is_new).copied().collect();
        for wanted in &tls.suites {
            chosen.extend(known.iter().filter(|suite| name(suite) == *wanted));
        }
        // The suites of TLS 1.3 can't be chosen.
        if tls.versions.0 == Version::Tls12 && chosen.iter().all(|suite| suite.tls13().is_some()) {
            let old = known.iter().filter(|suite| suite.tls13().is_none());
            return Err(TlsError::NothingSpoken {
                names: tls.suites.join(", "),
                known: old.map(name).collect::<Vec<_>>().join(", "),
            });
        }
        provider.cipher_suites = chosen;
    }
    if !tls.groups.is_empty() {
        let known = provider.kx_groups.clone();
        let go = |name: &str| match name {
            "CurveP256" => "secp256r1".to_owned(),
            "CurveP384" => "secp384r1".to_owned(),
            other => other.to_owned(),
        };
        let name = |group: &dyn rustls::crypto::SupportedKxGroup| format!("{:?}", group.name());
        provider.kx_groups = tls
            .groups
            .iter()
            .filter_map(|wanted| {
                let is_wanted =
                    |group: &&&dyn rustls::crypto::SupportedKxGroup| name(**group) == go(wanted);
                known.iter().find(is_wanted).copied()
            })
            .collect();
        if provider.kx_groups.is_empty() {
            return Err(TlsError::NothingSpoken {
                names: tls.groups.join(", "),
                known: "CurveP256, CurveP384, X25519".to_owned(),
            });
        }
    }
    Ok(provider)
}

fn clients(
    tls: &Tls,
    provider: &Arc<CryptoProvider>,
) -> Result<Option<Arc<dyn ClientCertVerifier>>, TlsError> {
    let any = |required| {
        let provider = Arc::clone(provider);
        Arc::new(Any { required, provider }) as Arc<dyn ClientCertVerifier>
    };
    let verifier = match (tls.client, &tls.client_authority) {
        (ClientAuth::Request, _) => any(false),
        (ClientAuth::RequireAny, _) => any(true),
        // Without an authority nothing is verified; such a file is refused when it is read.
        (ClientAuth::No, _) | (_, None) => return Ok(None),
        (ClientAuth::VerifyIfGiven | ClientAuth::RequireAndVerify, Some(pem)) => {
            verified(pem, tls.client == ClientAuth::RequireAndVerify, provider)?
        }
    };
    if tls.client_names.is_empty() {
        return Ok(Some(verifier));
    }
    let names = tls.client_names.iter().map(|name| {
        ServerName::try_from(name.clone())
            .ok()
            .ok_or_else(|| TlsError::ClientName { name: name.clone() })
    });
    Ok(Some(Arc::new(Named {
        inner: verifier,
        names: names.collect::<Result<_, _>>()?,
    })))
}

fn verified(
    authority: &Pem,
    required: bool,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(authority)? {
        roots
            .add(certificate)
            .map_err(|source| TlsError::Certificate {
                place: place(authority),
                source,
            })?;
    }
    let builder =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    let builder = if required {
        builder
    } else {
        builder.allow_unauthenticated()
    };
    let verifier = builder.build().map_err(|source| TlsError::Authority {
        place: place(authority),
        source,
    })?;
    Ok(verifier)
}

fn certificates(pem: &Pem) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let wrong = |source| TlsError::Pem {
        what: "a certificate",
        place: place(pem),
        source,
    };
    let found: Vec<_> = CertificateDer::pem_slice_iter(&read(pem)?)
        .collect::<Result<_, _>>()
        .map_err(wrong)?;
    if found.is_empty() {
        return Err(wrong(pem::Error::NoItemsFound));
    }
    Ok(found)
}

fn read(pem: &Pem) -> Result<Vec<u8>, TlsError> {
    match pem {
        Pem::File(path) => fs::read(path).map_err(|source| TlsError::Read {
            path: path.clone(),
            source,
        }),
        Pem::Inline(text) => Ok(text.clone().into_bytes()),
    }
}

fn place(pem: &Pem) -> String {
    match pem {
        Pem::File(path) => path.display().to_string(),
        Pem::Inline(_) => "the web-config file".to_owned(),
    }
}
