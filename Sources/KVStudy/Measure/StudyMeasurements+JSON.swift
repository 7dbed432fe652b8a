import KVBlocks

extension StudyMeasurements: JSONConvertible {
  package var json: JSONValue {
    [
      "attention": attention?.json ?? .null, "attentionRefusal": JSONValue(attentionRefusal),
      "lookup": lookup.json, "codec": codec.json,
    ]
  }
}

extension AttentionMeasurement: JSONConvertible {
  package var json: JSONValue {
    [
      "contextTokens": .integer(contextTokenCount), "bytes": .integer(byteCount),
      "cacheBytes": .integer(cacheByteCount), "rounds": .integer(Self.roundCount),
      "contiguousMicroseconds": .number(contiguousMicroseconds), "controlRatio": .number(controlRatio),
      "controlSpread": .number(controlSpread),
      "sizes": .array(
        figures.map {
          [
            "blockTokens": .integer($0.blockTokenCount), "ratio": .number($0.ratio),
            "microseconds": .number($0.microseconds),
          ]
        }),
    ]
  }
}

extension LookupMeasurement: JSONConvertible {
  package var json: JSONValue {
    [
      "tokens": .integer(Self.tokenCount),
      "microsecondsPer1000Tokens": .array(
        figures.map {
          [
            "blockTokens": .integer($0.blockTokenCount), "hashing": .number($0.hashingMicroseconds),
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
      "tokenBytes": .integer(tokenByteCount),
      "sizes": .array(
        figures.map {
          [
            "blockTokens": .integer($0.blockTokenCount), "frameBytesPerToken": .number($0.frameByteCount),
            "diskBytesPerToken": .number($0.diskByteCount), "encodeGBPerSecond": .number($0.encodeRate),
            "decodeGBPerSecond": .number($0.decodeRate),
          ]
        }),
    ]
  }
}
