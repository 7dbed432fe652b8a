import KVBlocks

extension StudyMeasurements: JSONConvertible {
  package var json: JSONValue {
    [
      "attention": attention?.json ?? .null, "attention_refusal": JSONValue(attentionRefusal),
      "lookup": lookup.json, "codec": codec.json,
    ]
  }
}

extension AttentionMeasurement: JSONConvertible {
  package var json: JSONValue {
    [
      "context_tokens": .integer(contextTokenCount), "bytes": .integer(byteCount),
      "cache_bytes": .integer(cacheByteCount), "rounds": .integer(Self.roundCount),
      "contiguous_us": .number(contiguousMicroseconds), "control_ratio": .number(controlRatio),
      "sizes": .array(
        figures.map {
          [
            "block_tokens": .integer($0.blockTokenCount), "ratio": .number($0.ratio), "us": .number($0.microseconds),
          ]
        }),
    ]
  }
}

extension LookupMeasurement: JSONConvertible {
  package var json: JSONValue {
    [
      "tokens": .integer(Self.tokenCount),
      "us_per_1000_tokens": .array(
        figures.map {
          [
            "block_tokens": .integer($0.blockTokenCount), "hashing": .number($0.hashingMicroseconds),
            "memory": .number($0.memoryMicroseconds), "disk": .number($0.diskMicroseconds),
          ]
        }),
    ]
  }
}

extension CodecMeasurement: JSONConvertible {
  package var json: JSONValue {
    [
      "session": JSONValue(source), "tokens": .integer(tokenCount), "planes": .integer(planeCount),
      "token_bytes": .integer(tokenByteCount),
      "sizes": .array(
        figures.map {
          [
            "block_tokens": .integer($0.blockTokenCount), "frame_bytes_per_token": .number($0.frameByteCount),
            "disk_bytes_per_token": .number($0.diskByteCount), "encode_gb_s": .number($0.encodeRate),
            "decode_gb_s": .number($0.decodeRate),
          ]
        }),
    ]
  }
}
