use super::*;

const US: u64 = 1_000;

/// A frame of these bytes that begins at `time`, with the ready signal where it is seen.
fn frame(time: u64, sees_ready: bool, bytes: &[u8]) -> Frame {
    let mut frame = Frame::default();
    let mut time = time;
    frame.fall(time);
    if sees_ready {
        time += 160 * US;
        frame.fall(time);
    }
    for bit in bytes
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1))
    {
        time += if bit == 1 { 120 * US } else { 78 * US };
        frame.fall(time);
    }
    frame
}

fn values(frame: &Frame, model: Model) -> Result<(i16, i16), Damage> {
    let reading = frame.read(model)?;
    Ok((reading.humidity, reading.temperature))
}

const WARM: [u8; 5] = [0x02, 0x8c, 0x01, 0x5f, 0xee];

#[test]
fn the_models_put_the_same_into_other_bytes() {
    let frame = |bytes: [u8; 4]| {
        let sum = bytes.into_iter().fold(0, u8::wrapping_add);
        let [a, b, c, d] = bytes;
        frame(0, true, &[a, b, c, d, sum])
    };
    for (model, bytes, expected) in [
        (Model::Dht22, [0x02, 0x8c, 0x01, 0x5f], (652, 351)),
        (Model::Dht22, [0x02, 0x8c, 0x80, 0x65], (652, -101)),
        (Model::Dht11, [36, 0, 27, 0], (360, 270)),
        (Model::Dht11, [36, 0, 1, 0x84], (360, -14)),
    ] {
        assert_eq!(values(&frame(bytes), model), Ok(expected));
    }
}

#[test]
fn the_ready_signal_may_be_missed_and_more_may_follow() {
    let eight = [&WARM[..], &[1, 2, 3]].concat();
    for bytes in [&WARM[..], &eight] {
        for sees_ready in [true, false] {
            let frame = frame(7 * US, sees_ready, bytes);
            assert_eq!(values(&frame, Model::Dht22), Ok((652, 351)));
            assert_eq!(frame.read(Model::Dht22).unwrap().at, 7 * US);
        }
    }
}

#[test]
fn what_is_torn_or_changed_is_no_reading() {
    let mut changed = WARM;
    changed[3] ^= 1;
    let changed = frame(0, true, &changed);
    assert_eq!(changed.read(Model::Dht22), Err(Damage::Checksum));
    // An edge less changes the number of bits, wherever it was.
    let whole = frame(0, true, &WARM);
    for missing in 0..whole.0.len() {
        let mut torn = Frame::default();
        for (index, time) in whole.0.iter().enumerate() {
            if index != missing {
                torn.fall(*time);
            }
        }
        let read = torn.read(Model::Dht22);
        assert!(missing == 0 || read.is_err(), "{missing}: {read:?}");
    }
    assert_eq!(Frame::default().read(Model::Dht22), Err(Damage::Torn));
    let noise = frame(0, false, &[0; 4096]);
    assert_eq!(noise.read(Model::Dht22), Err(Damage::Torn));
    assert_eq!(noise.0.len(), FALLS_MAX);
}

#[test]
fn a_pause_ends_a_frame() {
    let frame = frame(0, true, &WARM);
    let last = *frame.0.last().unwrap();
    assert!(!frame.ends_before(last + 200 * US));
    assert!(frame.ends_before(last + 18_000 * US));
    assert!(!Frame::default().ends_before(last));
}

#[test]
fn the_board_file_names_the_model() {
    assert_eq!(Model::named("dht11").unwrap(), Model::Dht11);
    let error = Model::named("dht12").unwrap_err();
    assert!(error.to_string().contains("write `dht11` or `dht22`"));
}
