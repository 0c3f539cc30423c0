//! `bindle-peer server` and the client's commands, over the crate's own server, client, standalone
//! bindles and signing. The server is named by BINDLE_URL, a user by BINDLE_HTTP_USER and
//! BINDLE_HTTP_PASSWORD, keys by BINDLE_KEYRING and BINDLE_SIGNING_KEYS.
use std::{collections::HashMap, env, io::Cursor, net::SocketAddr, path::PathBuf, sync::Arc};

use anyhow::{anyhow, bail, Context, Result};
use bindle::authn::{always::AlwaysAuthenticate, http_basic::HttpBasic as HttpBasicUsers};
use bindle::authz::{always::AlwaysAuthorize, anonymous_get::AnonymousGet};
use bindle::client::tokens::{HttpBasic, NoToken, TokenManager};
use bindle::client::{load, Client};
use bindle::invoice::signature::{
    KeyEntry, KeyRing, KeyRingLoader, SecretKeyEntry, SecretKeyFile, SecretKeyStorage, SignatureRole,
};
use bindle::provider::{embedded::EmbeddedProvider, file::FileProvider};
use bindle::search::StrictEngine;
use bindle::standalone::{StandaloneRead, StandaloneWrite};
use bindle::{Invoice, QueryOptions, VerificationStrategy};
use futures::{stream, StreamExt, TryStreamExt};
use sha2::{Digest, Sha256};

const USAGE: &str = "bindle-peer
  server ADDRESS DIRECTORY [--embedded] [--htpasswd FILE] [--strategy NAME]
  push ID DIRECTORY              a standalone bindle, folder or tarball
  push-invoice FILE [LABEL]      signed with the creator's key of that label
  push-file ID FILE
  get ID DIRECTORY [--tarball]   into a standalone bindle
  get-invoice ID
  yank ID
  query TERM [RANGE]
  keys";

#[tokio::main]
async fn main() -> Result<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    if let ["server", address, directory, flags @ ..] = words.as_slice() {
        return serve(address, directory, flags).await;
    }
    let (user, password) = (env::var("BINDLE_HTTP_USER"), env::var("BINDLE_HTTP_PASSWORD"));
    match (user, password) {
        (Ok(user), Ok(password)) => command(&words, HttpBasic::new(&user, &password)).await,
        _ => command(&words, NoToken).await,
    }
}

async fn keyring() -> Result<KeyRing> {
    match env::var_os("BINDLE_KEYRING") {
        Some(path) => PathBuf::from(path).load().await,
        None => Ok(KeyRing::default()),
    }
}

async fn signing_keys() -> Result<SecretKeyFile> {
    let path = env::var_os("BINDLE_SIGNING_KEYS").context("BINDLE_SIGNING_KEYS is not set")?;
    SecretKeyFile::load_file(path).await
}

/// As `bindle-server`: the server's own keys join its keyring.
async fn serve(address: &str, directory: &str, flags: &[&str]) -> Result<()> {
    let address: SocketAddr = address.parse()?;
    let keys = signing_keys().await?;
    let mut ring = keyring().await?;
    for key in &keys.key {
        ring.add_entry(KeyEntry::try_from(key)?);
    }
    let value = |name: &str| {
        let at = flags.iter().position(|flag| *flag == name)?;
        flags.get(at + 1).copied()
    };
    let strategy: VerificationStrategy = match value("--strategy") {
        Some(name) => name.parse().map_err(|error| anyhow!("{error}"))?,
        None => VerificationStrategy::default(),
    };
    let index = StrictEngine::default();
    println!("bindle-peer on {address}");
    if flags.contains(&"--embedded") {
        let store = EmbeddedProvider::new(directory, index.clone()).await?;
        return bindle::server::server(
            store, index, AlwaysAuthenticate, AlwaysAuthorize, address, None, keys, strategy, ring,
        )
        .await;
    }
    let store = FileProvider::new(directory, index.clone()).await;
    match value("--htpasswd") {
        Some(file) => {
            let users = HttpBasicUsers::from_file(file).await?;
            bindle::server::server(
                store, index, users, AnonymousGet, address, None, keys, strategy, ring,
            )
            .await
        }
        None => {
            bindle::server::server(
                store, index, AlwaysAuthenticate, AlwaysAuthorize, address, None, keys, strategy, ring,
            )
            .await
        }
    }
}

async fn command<T>(words: &[&str], token: T) -> Result<()>
where
    T: TokenManager + Clone + Send + Sync + 'static,
{
    let server = env::var("BINDLE_URL").context("BINDLE_URL is not set")?;
    // The CLI's default asks for every signer's key; its keyring decides what that finds.
    let client = Client::new(&server, token, Arc::new(keyring().await?))?;
    match words {
        ["push", id, directory] => {
            let id: bindle::Id = id.parse()?;
            let tarball = PathBuf::from(directory).join(format!("{}.tar.gz", id.sha()));
            let bindle = if tarball.is_file() {
                StandaloneRead::new_from_tarball(tarball).await?
            } else {
                StandaloneRead::new(directory, &id).await?
            };
            bindle.push(&client).await?;
            println!("pushed: {id}");
        }
        ["push-invoice", file, label @ ..] => {
            let mut invoice: Invoice = load::toml(file).await?;
            let keys = signing_keys().await?;
            let key = secret(&keys, label.first().copied())?;
            invoice.sign(SignatureRole::Creator, key)?;
            let answer = client.create_invoice(invoice).await?;
            for label in answer.missing.unwrap_or_default() {
                println!("missing: {} {}", label.sha256, label.name);
            }
        }
        ["push-file", id, file] => {
            let sha = format!("{:x}", Sha256::digest(tokio::fs::read(file).await?));
            client.create_parcel_from_file(*id, &sha, file).await?;
            println!("pushed: {id}@{sha}");
        }
        ["get", id, directory, flags @ ..] => {
            let invoice: Invoice = client.get_invoice(*id).await?.into();
            let shas: Vec<String> = unique(&invoice);
            let parcels: HashMap<String, Cursor<Vec<u8>>> = stream::iter(shas)
                .map(|sha| {
                    let client = &client;
                    async move {
                        let bytes = client.get_parcel(*id, &sha).await?;
                        Ok::<_, bindle::client::ClientError>((sha, Cursor::new(bytes)))
                    }
                })
                .buffer_unordered(16)
                .try_collect()
                .await?;
            let bindle = StandaloneWrite::new(directory, *id).await?;
            bindle.write(invoice, parcels).await?;
            println!("got: {id} in {}", bindle.path().display());
            if flags.contains(&"--tarball") {
                bindle.tarball(directory).await?;
            }
        }
        ["get-invoice", id] => {
            let invoice: Invoice = client.get_invoice(*id).await?.into();
            print!("{}", toml::to_string(&invoice)?);
        }
        ["yank", id] => {
            client.yank_invoice(*id).await?;
            println!("yanked: {id}");
        }
        ["query", term, range @ ..] => {
            let options = QueryOptions {
                query: Some(term.to_string()),
                version: range.first().map(|range| range.to_string()),
                ..Default::default()
            };
            for invoice in client.query_invoices(options).await?.invoices {
                println!("{}", invoice.bindle.id);
            }
        }
        ["keys"] => print!("{}", toml::to_string(&client.get_host_keys().await?)?),
        _ => bail!(USAGE),
    }
    Ok(())
}

fn secret<'a>(keys: &'a SecretKeyFile, label: Option<&str>) -> Result<&'a SecretKeyEntry> {
    use bindle::invoice::signature::LabelMatch;
    let wanted = label.map(|label| LabelMatch::PartialMatch(label.to_owned()));
    keys.get_first_matching(&SignatureRole::Creator, wanted.as_ref())
        .context("there is no creator's key")
}

fn unique(invoice: &Invoice) -> Vec<String> {
    let mut shas: Vec<String> =
        invoice.parcel.iter().flatten().map(|parcel| parcel.label.sha256.clone()).collect();
    shas.sort();
    shas.dedup();
    shas
}
