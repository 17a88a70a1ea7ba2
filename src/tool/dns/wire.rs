//! Packets to answers and back, by hickory.

use std::net::{Ipv4Addr, Ipv6Addr};

use hickory_proto::op::{Edns, Message, MessageType, Metadata, OpCode, Query, ResponseCode};
use hickory_proto::rr::{DNSClass, Name as WireName, RData, Record, RecordType};

use crate::dns::{Answer, Data, Failure, Kind, Name, Question};

/// The largest answer asked for over UDP: fits every path without fragments (RFC 9715 §3.1).
const UDP_SIZE: u16 = 1232;
/// How many aliases are followed: more is a loop.
const MOST_ALIASES: usize = 16;

/// A packet that answers a question of ours.
#[derive(Debug)]
pub(super) enum Heard {
    /// A whole answer.
    Said(Result<Answer, Failure>),
    /// Cut off: to be asked again over TCP.
    Truncated,
    /// The server knows no EDNS (RFC 6891 §7): to be asked again without.
    NoEdns,
}

/// Writes a question.
pub(super) fn encode(question: &Question, id: u16, edns: bool) -> Option<Vec<u8>> {
    let name = WireName::from_labels(question.name.labels().map(str::as_bytes)).ok()?;
    let mut message = Message::new(id, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(name, record_type(question.kind)));
    if edns {
        let mut edns = Edns::new();
        edns.set_max_payload(UDP_SIZE).set_version(0);
        message.set_edns(edns);
    }
    message.to_vec().ok()
}

/// The number of a packet, before anything else of it is believed.
pub(super) fn id_of(packet: &[u8]) -> Option<u16> {
    packet
        .first_chunk::<2>()
        .map(|&bytes| u16::from_be_bytes(bytes))
}

/// Reads a packet that should answer `question`; `None` when it is no such thing.
pub(super) fn decode(packet: &[u8], question: &Question) -> Option<Heard> {
    let [_, _, flags, code, ..] = *packet else {
        return None;
    };
    if flags & 0x80 == 0 {
        return None;
    }
    // Looked at first, since a cut answer may not be readable to its end.
    if flags & 0x02 != 0 {
        return Some(Heard::Truncated);
    }
    // A server that does not know EDNS may leave out the question as well (RFC 6891 §7).
    if matches!(code & 0x0f, 1) {
        return Some(Heard::NoEdns);
    }
    let message = Message::from_vec(packet).ok()?;
    let asked = message.queries.first()?;
    if asked.query_type() != record_type(question.kind) || name_of(asked.name()) != question.name {
        return None;
    }
    Some(Heard::Said(match message.metadata.response_code {
        ResponseCode::NoError => read(&message.answers, &message.metadata, question),
        ResponseCode::NXDomain => Err(Failure::NxDomain),
        ResponseCode::ServFail => Err(Failure::ServFail),
        ResponseCode::Refused => Err(Failure::Refused),
        other => Err(Failure::Code(other.into())),
    }))
}

/// Follows the aliases from the name asked and collects the records at their end.
fn read(records: &[Record], meta: &Metadata, question: &Question) -> Result<Answer, Failure> {
    let mut owner = question.name.clone();
    let mut aliases = Vec::new();
    let mut ttl = u32::MAX;
    for _ in 0..=MOST_ALIASES {
        let mut data = Vec::new();
        let mut next = None;
        for record in records
            .iter()
            .filter(|r| r.dns_class == DNSClass::IN && name_of(&r.name) == owner)
        {
            match value(&record.data) {
                Some(value) if value.kind() == question.kind => data.push(value),
                Some(Data::Cname(target)) => next = Some(target),
                _ => continue,
            }
            ttl = ttl.min(record.ttl);
        }
        if !data.is_empty() {
            return Ok(Answer {
                data,
                aliases,
                ttl,
                authentic: meta.authentic_data,
            });
        }
        let Some(target) = next else { break };
        aliases.push(target.clone());
        owner = target;
    }
    Err(Failure::NoData)
}

fn value(data: &RData) -> Option<Data> {
    Some(match data {
        RData::A(a) => Data::A(Ipv4Addr::from(*a)),
        RData::AAAA(a) => Data::Aaaa(Ipv6Addr::from(*a)),
        RData::CNAME(name) => Data::Cname(name_of(&name.0)),
        RData::MX(mx) => Data::Mx {
            preference: mx.preference,
            exchange: name_of(&mx.exchange),
        },
        RData::NS(name) => Data::Ns(name_of(&name.0)),
        RData::PTR(name) => Data::Ptr(name_of(&name.0)),
        RData::SOA(soa) => Data::Soa {
            primary: name_of(&soa.mname),
            serial: soa.serial,
        },
        RData::TLSA(tlsa) => Data::Tlsa {
            usage: tlsa.cert_usage.into(),
            selector: tlsa.selector.into(),
            matching: tlsa.matching.into(),
            data: tlsa.cert_data.clone(),
        },
        RData::TXT(txt) => Data::Txt(txt.txt_data.concat()),
        _ => return None,
    })
}

fn name_of(name: &WireName) -> Name {
    Name::from_wire(name.iter())
}

fn record_type(kind: Kind) -> RecordType {
    match kind {
        Kind::A => RecordType::A,
        Kind::Aaaa => RecordType::AAAA,
        Kind::Cname => RecordType::CNAME,
        Kind::Mx => RecordType::MX,
        Kind::Ns => RecordType::NS,
        Kind::Ptr => RecordType::PTR,
        Kind::Soa => RecordType::SOA,
        Kind::Tlsa => RecordType::TLSA,
        Kind::Txt => RecordType::TXT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_proto::rr::rdata;

    fn question() -> Question {
        Question::new(Name::parse("a.example").unwrap(), Kind::A)
    }

    fn answer(records: Vec<Record>, code: ResponseCode) -> Vec<u8> {
        let mut message = Message::response(7, OpCode::Query);
        message.metadata.response_code = code;
        message.add_query(Query::query(
            WireName::from_ascii("A.example.").unwrap(),
            RecordType::A,
        ));
        message.add_answers(records);
        message.to_vec().unwrap()
    }

    fn record(owner: &str, ttl: u32, data: RData) -> Record {
        Record::from_rdata(WireName::from_ascii(owner).unwrap(), ttl, data)
    }

    #[test]
    fn the_address_at_the_end_of_the_aliases_counts() {
        let alias = RData::CNAME(rdata::CNAME(WireName::from_ascii("b.example.").unwrap()));
        let packet = answer(
            vec![
                record("a.example.", 300, alias),
                record("b.example.", 60, RData::A(rdata::A::new(127, 0, 0, 2))),
                record("other.example.", 5, RData::A(rdata::A::new(127, 0, 0, 9))),
            ],
            ResponseCode::NoError,
        );
        let Some(Heard::Said(Ok(answer))) = decode(&packet, &question()) else {
            panic!()
        };
        assert_eq!(answer.data, [Data::A([127, 0, 0, 2].into())]);
        assert_eq!((answer.ttl, answer.aliases.len()), (60, 1));
    }

    #[test]
    fn the_kinds_of_no_are_kept_apart() {
        let said = |code| match decode(&answer(Vec::new(), code), &question()) {
            Some(Heard::Said(result)) => result.unwrap_err(),
            other => panic!("{other:?}"),
        };
        assert_eq!(said(ResponseCode::NXDomain), Failure::NxDomain);
        assert_eq!(said(ResponseCode::NoError), Failure::NoData);
        assert_eq!(said(ResponseCode::ServFail), Failure::ServFail);
        assert_eq!(said(ResponseCode::Refused), Failure::Refused);
        assert_eq!(said(ResponseCode::NotImp), Failure::Code(4));
    }

    #[test]
    fn an_answer_to_another_question_is_none() {
        let other = Question::new(Name::parse("b.example").unwrap(), Kind::A);
        assert!(decode(&answer(Vec::new(), ResponseCode::NXDomain), &other).is_none());
        let sent = encode(&question(), 9, true).unwrap();
        assert_eq!(id_of(&sent), Some(9));
        assert!(
            decode(&sent, &question()).is_none(),
            "our own question, sent back"
        );
    }

    #[test]
    fn a_loop_of_aliases_ends() {
        let alias = RData::CNAME(rdata::CNAME(WireName::from_ascii("a.example.").unwrap()));
        let packet = answer(vec![record("a.example.", 1, alias)], ResponseCode::NoError);
        let Some(Heard::Said(result)) = decode(&packet, &question()) else {
            panic!()
        };
        assert_eq!(result, Err(Failure::NoData));
    }
}
