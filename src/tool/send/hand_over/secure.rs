//! TLS and logins: whom to trust, and to whom a password may be shown.

use crate::smtp::sasl::{Dialogue, Mechanism};
use crate::smtp::tls::Opinion;
use crate::smtp::tls::trust::Dates;
use crate::smtp::{Client, Extensions, Stage, TlsMode};

use super::{End, Handed, Manner, Place, greet};

/// Why a certificate is not to be trusted; `None`: it is.
pub(in crate::send) fn distrust(opinion: &Opinion, host: &str) -> Option<String> {
    match (&opinion.chain, opinion.dates) {
        // A certificate of the user's own file counts by being there, but not after its end.
        (_, Dates::Expired(0)) => Some("the certificate expired today".to_string()),
        (_, Dates::Expired(1)) => Some("the certificate expired yesterday".to_string()),
        (_, Dates::Expired(days)) => Some(format!("the certificate expired {days} days ago")),
        (_, Dates::NotYet(0 | 1)) => Some("the certificate begins within a day".to_string()),
        (_, Dates::NotYet(days)) => Some(format!("the certificate begins in {days} days")),
        (Err(fault), _) => Some(format!("the certificate {}", fault.words())),
        (Ok(()), Dates::Unknown) => Some("the certificate cannot be read".to_string()),
        (Ok(()), Dates::Valid(_)) if !opinion.name_ok => {
            Some(format!("the certificate is not for {host}"))
        }
        (Ok(()), Dates::Valid(_)) => None,
    }
}

/// Keeps what TLS was like; where it is required, the certificate has to be right.
pub(super) fn trust(client: &Client, manner: &Manner, handed: &mut Handed) -> Result<(), End> {
    let Some(session) = client.session.clone() else {
        return Ok(());
    };
    let Some(roots) = &manner.roots else {
        handed.session = Some(session);
        return Ok(());
    };
    let opinion = roots.judge(&session, &handed.place.host, manner.now);
    let fault = distrust(&opinion, &handed.place.host);
    handed.session = Some(session);
    handed.opinion = Some(opinion);
    if manner.tls == TlsMode::Required
        && let Some(why) = fault
    {
        handed.tls_error = Some(why.clone());
        return Err(End::GaveUp(format!(
            "TLS is required, and {why}; give --ca-file, or --tls auto to take it all the same"
        )));
    }
    Ok(())
}

/// STARTTLS as the user wants it, and the greeting again.
pub(super) async fn encrypt(
    client: &mut Client,
    manner: &Manner,
    handed: &mut Handed,
) -> Result<(), End> {
    if client.is_encrypted() {
        return Ok(());
    }
    if handed.place.socket.is_some() && manner.tls != TlsMode::Required {
        return Ok(());
    }
    let offered = client.extensions.as_ref();
    handed.tls_offered = offered.is_some_and(|e| e.has("STARTTLS"));
    match (manner.tls, handed.tls_offered) {
        (TlsMode::Required, false) => {
            return Err(End::GaveUp(
                "TLS is required, and the server does not offer it".to_string(),
            ));
        }
        (TlsMode::Auto | TlsMode::Required, true) => {}
        _ => return Ok(()),
    }
    let reply = client.starttls(&handed.place.host).await?;
    if !client.is_encrypted() {
        handed.tls_error = Some(format!("STARTTLS is answered with {reply}"));
        if manner.tls == TlsMode::Required {
            // A "yes" that is none of STARTTLS must not pass for one to the message.
            return Err(match reply.code {
                400.. => End::Refused(Stage::StartTls, reply),
                _ => End::GaveUp(format!(
                    "TLS is required, and STARTTLS is answered with {reply}"
                )),
            });
        }
        return Ok(());
    }
    trust(client, manner, handed)?;
    greet(client, manner).await
}

/// Whether the server has proved who it is, as far as certificates are judged at all.
fn proved(handed: &Handed, place: &Place) -> Result<(), String> {
    let fault = handed.opinion.as_ref();
    let fault = fault.and_then(|opinion| distrust(opinion, &place.host));
    fault.map_or(Ok(()), Err)
}

/// AUTH, when there is somebody to log in as.
pub(super) async fn log_in(
    client: &mut Client,
    manner: &Manner,
    handed: &Handed,
) -> Result<(), End> {
    let place = &handed.place;
    let Some(credentials) = &manner.credentials else {
        return Ok(());
    };
    let offered = client.extensions.as_ref();
    let offered = offered.map(Extensions::mechanisms).unwrap_or_default();
    let binding = client.channel_binding();
    // On this machine a password in clear is seen by nobody else; elsewhere it is for the server
    // that was meant, not for whoever shakes hands in its place.
    let here = place.is_here();
    let proved = proved(handed, place);
    let safe = manner.insecure_auth || here || client.is_encrypted() && proved.is_ok();
    let chosen = match manner.mechanism {
        Some(forced) if forced.shows_secret() && !safe => {
            return Err(End::GaveUp(match proved {
                Err(why) if client.is_encrypted() => format!(
                    "{} would show the password to somebody who cannot prove to be {}: {why}; give --ca-file, or --insecure-auth to do it all the same",
                    forced.name(),
                    place.host
                ),
                _ => format!(
                    "{} would show the password in clear; use TLS",
                    forced.name()
                ),
            }));
        }
        Some(forced) => Some(forced),
        None => Mechanism::choose(&offered, credentials, safe, binding.is_some()),
    };
    let Some(mechanism) = chosen else {
        let why = if offered.is_empty() {
            "the server offers no login here; is it the submission port (587, 465)?".to_string()
        } else if let (Err(why), true) = (proved, client.is_encrypted()) {
            format!(
                "every way to log in ({}) would show the password to somebody who cannot prove to be {}: {why}; give --ca-file, or --insecure-auth to do it all the same",
                offered.join(", "),
                place.host
            )
        } else {
            format!(
                "the server offers no way to log in that would not show the password ({})",
                offered.join(", ")
            )
        };
        return Err(End::GaveUp(why));
    };
    let server = (place.host.as_str(), place.port);
    let dialogue = Dialogue::new(mechanism, credentials, server, binding);
    let mut dialogue = dialogue.map_err(|error| End::GaveUp(error.to_string()))?;
    match client.authenticate(&mut dialogue).await {
        // 235 it should be; some say another 2xx.
        Ok(reply) if reply.is_positive() => Ok(()),
        Ok(reply) => Err(End::Refused(Stage::Auth, reply)),
        Err(crate::smtp::sasl::Failure::Talk(failure)) => Err(End::Broke(failure)),
        Err(error) => Err(End::GaveUp(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smtp::tls::trust::Fault;

    #[test]
    fn a_certificate_is_trusted_when_its_dates_its_chain_and_its_name_are_right() {
        let good = || Opinion {
            certificate: None,
            chain: Ok(()),
            name_ok: true,
            dates: Dates::Valid(30),
        };
        let of = |opinion: &Opinion| distrust(opinion, "mx.test");
        assert_eq!(of(&good()), None);
        // Its dates say most: an expired one is often not known to any root any more.
        for (dates, chain, name_ok, why) in [
            (
                Dates::Expired(3),
                Err(Fault::SelfSigned),
                true,
                "the certificate expired 3 days ago",
            ),
            (
                Dates::Expired(1),
                Ok(()),
                true,
                "the certificate expired yesterday",
            ),
            (
                Dates::Expired(0),
                Ok(()),
                true,
                "the certificate expired today",
            ),
            (
                Dates::NotYet(2),
                Ok(()),
                true,
                "the certificate begins in 2 days",
            ),
            (
                Dates::Unknown,
                Ok(()),
                true,
                "the certificate cannot be read",
            ),
            (
                Dates::Valid(30),
                Ok(()),
                false,
                "the certificate is not for mx.test",
            ),
        ] {
            let opinion = Opinion {
                dates,
                chain,
                name_ok,
                ..good()
            };
            assert_eq!(of(&opinion).as_deref(), Some(why));
        }
        let unknown = Opinion {
            chain: Err(Fault::SelfSigned),
            name_ok: false,
            ..good()
        };
        let why = of(&unknown).unwrap();
        let words = Fault::SelfSigned.words();
        assert_eq!(why, format!("the certificate {words}"));
    }
}
