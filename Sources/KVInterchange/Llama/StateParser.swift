import KVBlocks

/// A state's parts as places in its source.
struct ParsedState {
  var container = StateContainer.memoryBlob
  var version = 0
  /// The sequence id of a blob's header; nil for a blob without one and for files.
  var blobSequenceID: Int32?
  var tokenWords: [Int32]?
  var architecture: [UInt8]?
  /// Older session files keep the last outputs (logits, embeddings) before the caches; empty otherwise.
  var outputs = 0..<0
  /// Nil where the model has a recurrent memory alone.
  var attention: AttentionPayload?
  /// What follows the first filled stream and is more than empty streams: it cannot be cut at a token.
  var rest = 0..<0
}

/// Reads a state's container and finds the payload's shape by trying: neither the cell extension, nor a blob's
/// version, nor the number of caches stands in the format. The reading that ends exactly at the last byte is right.
struct StateParser {
  private let reader: ByteReader
  /// The error of the reading that recognised most: the most likely shape, hence the most helpful message.
  private var furthest: FormatError?
  private var furthestMilestone = 0

  private init(_ source: ByteSource) { reader = ByteReader(source) }

  static func parse(_ source: ByteSource) throws(FormatError) -> ParsedState {
    var parser = StateParser(source)
    return try parser.parse()
  }

  private mutating func parse() throws(FormatError) -> ParsedState {
    let magic = try reader.u32("the magic number")
    switch magic {
    case StateContainer.sequenceMagic: return try parseFile(.sequenceFile)
    case StateContainer.sessionMagic: return try parseFile(.sessionFile)
    case StateContainer.blobMagic: return try parseBlob(sequenceID: try reader.i32("the sequence id"))
    default:
      reader.seek(to: 0)
      do throws(FormatError) {
        return try parseBlob(sequenceID: nil)
      } catch {
        guard let state = parseContextBlob(nameByteCount: magic) else { throw error }
        return state
      }
    }
  }

  private mutating func parseFile(_ container: StateContainer) throws(FormatError) -> ParsedState {
    var state = ParsedState()
    state.container = container
    let written = Int(try reader.u32("the version"))
    let lead = container == .sessionFile ? StateContainer.sessionVersionLead : 0
    guard (2...4).contains(written - lead) else {
      throw FormatError(
        "\(container.rawValue) version \(written) is not known; kvpager reads \(2 + lead) to \(4 + lead)", offset: 4)
    }
    state.version = written - lead
    let count = try reader.count("the number of tokens", limit: StateLimit.tokenWordCount, minimumByteCount: 4)
    state.tokenWords = try reader.words(count, "the tokens")
    if container == .sessionFile {
      let length = try reader.count(
        "the length of the architecture's name", limit: StateLimit.architectureByteCount, minimumByteCount: 1)
      state.architecture = try reader.bytes(length, "the architecture's name")
    }
    let start = reader.offset
    guard let found = tryWithOutputs(state, versions: [state.version]) else { throw failure(at: start) }
    return found
  }

  /// Before the caches of a whole context older versions keep the last outputs.
  private mutating func tryWithOutputs(_ state: ParsedState, versions: [Int]) -> ParsedState? {
    var state = state
    let start = reader.offset
    if let found = tryPayloads(state, from: start, versions: versions) { return found }
    guard state.container.isWholeContext, let outputs = outputsRange(from: start) else { return nil }
    state.outputs = outputs
    return tryPayloads(state, from: outputs.upperBound, versions: versions)
  }

  /// A whole context's state begins with the architecture's name, which is short and plain.
  private mutating func parseContextBlob(nameByteCount: UInt32) -> ParsedState? {
    guard (1...64).contains(nameByteCount) else { return nil }
    do throws(FormatError) {
      reader.seek(to: 4)
      let name = try reader.bytes(Int(nameByteCount), "the architecture's name")
      guard name.allSatisfy({ (0x21...0x7e).contains($0) }) else { return nil }
      var state = ParsedState()
      state.container = .contextBlob
      state.architecture = name
      return tryWithOutputs(state, versions: [4, 3, 2])
    } catch {
      return nil
    }
  }

  private mutating func parseBlob(sequenceID: Int32?) throws(FormatError) -> ParsedState {
    var state = ParsedState()
    state.blobSequenceID = sequenceID
    let start = reader.offset
    guard !reader.isAtEnd else { throw FormatError("the input ends before its payload", offset: start) }
    // Versions 2 and 3 differ in the cell extension alone; the header came with newer ones.
    if let found = tryPayloads(state, from: start, versions: sequenceID == nil ? [4, 2, 3] : [4, 3, 2]) {
      return found
    }
    throw failure(at: start)
  }

  private func failure(at start: Int) -> FormatError {
    furthest ?? FormatError("this is no llama.cpp state", offset: start)
  }

  private mutating func note(_ error: FormatError) {
    let mark = (reader.milestone, error.offset)
    guard let known = furthest, mark <= (furthestMilestone, known.offset) else {
      furthest = error
      furthestMilestone = reader.milestone
      return
    }
  }

  /// The first reading in any of these versions that ends at the last byte.
  private mutating func tryPayloads(_ state: ParsedState, from start: Int, versions: [Int]) -> ParsedState? {
    var state = state
    for extensionFirst in [false, true] {
      for version in versions {
        for hasValues in [true, false] {
          let size = extensionFirst ? (version == 2 ? 8 : 12) : 0
          let grammar = PayloadGrammar(version: version, extensionByteCount: size, hasValues: hasValues)
          do throws(FormatError) {
            reader.seek(to: start)
            reader.milestone = 0
            let attention = try AttentionPayload(reading: reader, grammar: grammar)
            try passOverFurtherPayloads(grammar, depth: 0)
            state.version = version
            state.attention = attention
            state.rest = restRange(attention)
            return state
          } catch {
            note(error)
          }
        }
      }
    }
    do throws(FormatError) {
      reader.seek(to: start)
      reader.milestone = 0
      try RecurrentPayload.skip(reader)
      state.version = versions[0]
      state.rest = start..<reader.offset
      return state
    } catch {
      note(error)
      return nil
    }
  }

  /// What must be kept whole after the first filled stream: nothing, where only empty streams follow.
  private func restRange(_ attention: AttentionPayload) -> Range<Int> {
    let end = reader.source.byteCount
    let emptyStreams = attention.streamIndex.map { attention.streamCount - $0 - 1 } ?? 0
    let isCuttable = attention.filledStreamCount <= 1 && attention.firstStreamEnd + 4 * emptyStreams == end
    return isCuttable ? end..<end : attention.firstStreamEnd..<end
  }

  /// Passes over sliding-window, indexer and recurrent caches up to the end of the source.
  private func passOverFurtherPayloads(_ grammar: PayloadGrammar, depth: Int) throws(FormatError) {
    if reader.isAtEnd { return }
    let start = reader.offset
    var worst = FormatError("\(reader.remainingByteCount) bytes are left over", offset: start)
    if depth < StateLimit.furtherPayloadCount {
      for hasValues in [true, false] {
        do throws(FormatError) {
          reader.seek(to: start)
          var further = grammar
          further.hasValues = hasValues
          _ = try AttentionPayload(reading: reader, grammar: further)
          return try passOverFurtherPayloads(further, depth: depth + 1)
        } catch {
          if error.offset > worst.offset { worst = error }
        }
      }
    }
    do throws(FormatError) {
      reader.seek(to: start)
      return try RecurrentPayload.skip(reader)
    } catch {
      if error.offset > worst.offset { worst = error }
    }
    throw FormatError(
      "after the first cache (to byte \(start)) the rest is neither another cache nor a recurrent state: "
        + "\(worst.message)",
      offset: worst.offset)
  }

  /// The outputs that older session files keep before the caches: ids, logits, embeddings.
  private func outputsRange(from start: Int) -> Range<Int>? {
    do throws(FormatError) {
      reader.seek(to: start)
      let count = try reader.count("the number of outputs", limit: StateLimit.cellCount, minimumByteCount: 4)
      try reader.skip(count, of: 4, "the outputs' positions")
      for name in ["logits", "embeddings"] {
        let size = try reader.u64("the size of the \(name)")
        guard let size = Int(exactly: size), size <= reader.remainingByteCount else { return nil }
        try reader.skip(size, of: 4, "the \(name)")
      }
      return start..<reader.offset
    } catch {
      return nil
    }
  }
}
