//! A filter that speaks SMTP: it takes the message over, and what it says to the end of the
//! message is what our client hears.

use std::net::SocketAddr;

use super::speakable;
use crate::mta::envelope::{Body, Envelope};
use crate::mta::session::reply::Reply;
use crate::mta::site::Site;
use crate::mta::store::Trouble;
use crate::smtp::command::{MailParameters, RcptParameters};
use crate::smtp::{self, Client, Command, Deadlines, Failure, Stage};

/// Hands a message over.
pub(super) async fn to(
    server: SocketAddr,
    message: &[u8],
    envelope: &Envelope,
    site: &Site,
) -> Result<(), Trouble> {
    let mut client = Client::new(server, Deadlines::interactive());
    let outcome = talk(&mut client, message, envelope, &site.settings.host).await;
    client.leave().await;
    let reply = match outcome {
        Ok(None) => return Ok(()),
        Ok(Some(refusal)) => answer(&refusal),
        Err(failure) => {
            site.journal
                .note("filter-failed", None, &[("why", &failure.to_string())]);
            Reply::new(451, 7, 1, "The filter cannot be reached, try again later")
        }
    };
    Err(Trouble::Refused(Box::new(reply)))
}

/// `None`: it was taken.
async fn talk(
    client: &mut Client,
    message: &[u8],
    envelope: &Envelope,
    host: &str,
) -> Result<Option<smtp::Reply>, Failure> {
    client.connect().await?;
    let banner = client.banner().await?;
    if !banner.is_positive() {
        return Ok(Some(banner));
    }
    if !client.ehlo(host).await?.is_positive() {
        client.say(Stage::Ehlo, &Command::Helo(host)).await?;
    }
    let offers = |client: &Client, keyword: &str| {
        let extensions = client.extensions.as_ref();
        extensions.is_some_and(|e| e.has(keyword))
    };
    let sender = envelope.sender.as_ref().map(ToString::to_string);
    let eight = envelope.body == Body::EightBit && offers(client, "8BITMIME");
    let parameters = MailParameters {
        body: eight.then_some("8BITMIME"),
        smtputf8: envelope.smtputf8 && offers(client, "SMTPUTF8"),
        ..MailParameters::default()
    };
    let sender = sender.unwrap_or_default();
    let mail = client
        .say(Stage::Mail, &Command::Mail(&sender, parameters))
        .await?;
    if !mail.is_positive() {
        return Ok(Some(mail));
    }
    for recipient in &envelope.recipients {
        let address = recipient.address.to_string();
        let command = Command::Rcpt(&address, RcptParameters::default());
        let reply = client.say(Stage::Rcpt, &command).await?;
        // The filter must take all: our client hears one answer for the whole.
        if !reply.is_positive() {
            return Ok(Some(reply));
        }
    }
    let data = client.data().await?;
    if !data.is_intermediate() {
        return Ok(Some(data));
    }
    let replies = client.message(message, 1).await?;
    Ok(replies
        .into_iter()
        .next()
        .filter(|reply| !reply.is_positive()))
}

/// The filter's refusal in our words.
fn answer(refusal: &smtp::Reply) -> Reply {
    let text = speakable(&refusal.to_string());
    let reply = Reply::parse(&text).filter(|reply| reply.code >= 400 && reply.code != 421);
    let mut reply = reply.unwrap_or(Reply::new(451, 7, 1, "The filter refuses for now"));
    reply.status = reply.status.or(Some((7, 1)));
    reply
}
