//! TLS to a database. A certificate is always verified; what libpq calls `require`, `verify-ca` and `verify-full` is the
//! same here. Without a word, a database on this machine is spoken to in the open, and any other one is not.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::{
    Config,
    config::{Host, SslMode},
    tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream},
};
use tokio_rustls::{
    TlsConnector, client,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, ServerName, pem::PemObject},
    },
};

use crate::{
    disk::{MOST_OF_TEXT, read_file},
    model::{Fault, Kind},
};

type Wrong = Box<dyn std::error::Error + Sync + Send>;

/// How connections to a database become secure.
#[derive(Clone)]
pub(super) struct PostgresTls(Option<Arc<ClientConfig>>);

/// [`PostgresTls`], for one name.
pub(super) struct PostgresTlsAt(Option<Arc<ClientConfig>>, String);

/// A secure connection.
pub(super) struct SecureStream<S>(client::TlsStream<S>);

/// An address as the client of the database reads it, and the file with the authority of its certificate.
pub(super) fn without_authority(url: &str) -> (String, Option<PathBuf>) {
    let Some((before, query)) = url.split_once('?') else { return (url.to_owned(), None) };
    let mut authority = None;
    let keep = |part: &&str| match part.split_once('=') {
        Some(("sslrootcert", path)) => {
            authority = Some(PathBuf::from(path));
            false
        }
        _ => true,
    };
    let parts: Vec<&str> = query.split('&').filter(keep).collect();
    let parts = parts.iter().map(|part| match *part {
        "sslmode=verify-ca" | "sslmode=verify-full" => "sslmode=require",
        part => part,
    });
    let url = format!("{before}?{}", parts.collect::<Vec<_>>().join("&"));
    (url.trim_end_matches('?').to_owned(), authority)
}

/// Whether all hosts of `config` are this machine.
fn is_here(config: &Config) -> bool {
    let is_name_here = |host: &Host| match host {
        Host::Tcp(name) => {
            name == "localhost" || name.parse::<IpAddr>().is_ok_and(|it| it.is_loopback())
        }
        Host::Unix(_) => true,
    };
    match config.get_hostaddrs() {
        [] => config.get_hosts().iter().all(is_name_here),
        addresses => addresses.iter().all(IpAddr::is_loopback),
    }
}

impl PostgresTls {
    /// How connections of `config` become secure, and says so in it.
    ///
    /// # Errors
    /// `Usage` if the authority cannot be read.
    pub(super) fn for_config(config: &mut Config, authority: Option<&Path>) -> Result<Self, Fault> {
        let is_wanted = match config.get_ssl_mode() {
            SslMode::Disable => false,
            SslMode::Require => true,
            _ => authority.is_some() || !is_here(config),
        };
        if !is_wanted {
            config.ssl_mode(SslMode::Disable);
            return Ok(Self(None));
        }
        config.ssl_mode(SslMode::Require);
        let mut roots = RootCertStore::empty();
        let wrong = |path: &Path, why: String| {
            Fault::new(Kind::Usage, format!("cannot read {}", path.display())).because(why)
        };
        match authority {
            Some(path) => {
                let bytes = read_file(path, MOST_OF_TEXT);
                let bytes = bytes.map_err(|error| wrong(path, error.to_string()))?;
                for certificate in CertificateDer::pem_slice_iter(&bytes) {
                    let added = certificate
                        .map_err(|error| error.to_string())
                        .and_then(|it| roots.add(it).map_err(|error| error.to_string()));
                    added.map_err(|why| wrong(path, why))?;
                }
            }
            None => {
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
        }
        let config = ClientConfig::builder_with_provider(ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .map_err(|error| {
                let fault = Fault::new(Kind::Failed, "TLS cannot be set up");
                fault.because(error.to_string())
            })?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self(Some(config.into())))
    }
}

impl<S> MakeTlsConnect<S> for PostgresTls
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = SecureStream<S>;
    type TlsConnect = PostgresTlsAt;
    type Error = Wrong;

    fn make_tls_connect(&mut self, domain: &str) -> Result<PostgresTlsAt, Wrong> {
        Ok(PostgresTlsAt(self.0.clone(), domain.to_owned()))
    }
}

impl<S> TlsConnect<S> for PostgresTlsAt
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = SecureStream<S>;
    type Error = Wrong;
    type Future = Pin<Box<dyn Future<Output = Result<SecureStream<S>, Wrong>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        Box::pin(async move {
            let config = self.0.ok_or("TLS is not wanted")?;
            let name = ServerName::try_from(self.1)?;
            Ok(SecureStream(TlsConnector::from(config).connect(name, stream).await?))
        })
    }
}

impl<S> TlsStream for SecureStream<S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for SecureStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for SecureStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_database_here_is_spoken_to_in_the_open_unless_somebody_says_so() {
        for (url, is_secure) in [
            ("postgres:///queue?host=/run/postgresql", false),
            ("postgres://forge@localhost/queue", false),
            ("postgres://forge@127.0.0.1/queue", false),
            ("postgres://forge@127.0.0.1/queue?sslmode=require", true),
            ("postgres://forge@db.example.org/queue", true),
            ("postgres://forge@db.example.org/queue?sslmode=prefer", true),
            ("postgres://forge@db.example.org/queue?sslmode=verify-full", true),
            ("postgres://forge@db.example.org/queue?sslmode=disable", false),
        ] {
            let mut config: Config = without_authority(url).0.parse().unwrap();
            assert_eq!(
                PostgresTls::for_config(&mut config, None).unwrap().0.is_some(),
                is_secure,
                "{url}"
            );
        }
        let (url, authority) =
            without_authority("postgres://h/d?sslrootcert=/etc/ca.pem&sslmode=verify-full");
        assert_eq!(url, "postgres://h/d?sslmode=require");
        assert_eq!(authority, Some("/etc/ca.pem".into()));
    }
}
