/// The file around a llama.cpp sequence state.
public enum StateContainer: String, Hashable, Sendable, CaseIterable {
  /// `llama_state_seq_save_file`, also the server's slot files: "ggsq", version, tokens, payload.
  case sequenceFile = "ggsq"
  /// `llama_state_save_file`: "ggsn", version, tokens, architecture, payload of all sequences.
  case sessionFile = "ggsn"
  /// `llama_state_seq_get_data`: a payload with or without an 8-byte header, without version and tokens.
  case memoryBlob = "blob"
  /// `llama_state_get_data`: what a session file has after its tokens, without version and tokens.
  case contextBlob = "context"

  /// Whether the model's architecture and all sequences stand in it.
  var isWholeContext: Bool { self == .sessionFile || self == .contextBlob }
  var carriesTokens: Bool { self == .sequenceFile || self == .sessionFile }

  static let sequenceMagic: UInt32 = 0x6767_7371
  static let sessionMagic: UInt32 = 0x6767_736e
  static let blobMagic: UInt32 = 0xaf14_3cd8
  /// A session file's version is its sequence version and this.
  static let sessionVersionLead = 7
}

/// Limits on what a state may claim; anything beyond is malformed, whatever the file's size.
enum StateLimit {
  static let cellCount = 1 << 24
  static let tokenWordCount = 1 << 26
  static let streamCount = 4096
  static let layerCount = 8192
  static let sequenceCount = 4096
  /// Distinct lists of sequences in a stream's cells.
  static let sequenceListCount = 1 << 16
  static let architectureByteCount = 4096
  static let rotation = 1 << 20
  /// Payloads after the first one: sliding window, indexer, recurrent.
  static let furtherPayloadCount = 4
}

/// The size of the Hadamard rotation over quantised keys and values, 0 for none; recorded from version 4 on.
public struct CacheRotation: Hashable, Sendable {
  public var keys: Int
  public var values: Int

  public init(keys: Int, values: Int) {
    self.keys = keys
    self.values = values
  }
}
