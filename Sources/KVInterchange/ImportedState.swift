import KVBlocks

/// A file of an engine, opened for import: tokens, planes and rows, and what a session keeps so that the file can be
/// written again.
public protocol ImportedState: Sendable {
  /// The format, for people: "llama.cpp sequence file, version 4".
  var formatName: String { get }
  /// One token a row. Where ``tokensAreKnown`` is false some are placeholders (-1).
  var tokens: [Token] { get }
  /// Whether the tokens say what the rows were computed from. Where not, import under a private salt: nothing may be
  /// shared.
  var tokensAreKnown: Bool { get }
  /// In kvpager's order: keys of layer 0 to n, then values of layer 0 to n.
  ///
  /// A state without any rows (a recurrent memory alone) has one nominal plane of 1 raw byte a row and no rows.
  var planes: [PlaneLayout] { get }
  /// Rows in each plane.
  var rowCount: Int { get }
  /// What the session record keeps of the file; see ``StateExport``.
  var origin: [UInt8] { get }
  /// Bytes of the checkpoint: what cannot be cut at a token; 0 for none.
  var checkpointByteCount: Int { get }
  /// Whether a prefix of the rows is a state of its own. False where an export must be whole.
  var canBeCut: Bool { get }
  /// Engine settings that change values, for `ModelFingerprint`.
  var fingerprintSettings: [String: String] { get }

  /// Copies rows `rows` of plane `plane` (an index into ``planes``), token-major, `rows.count * rowByteCount` bytes.
  ///
  /// Several threads may copy at a time. Upward requests are fastest.
  /// - Throws: ``FormatError`` where the file shrank or cannot be read.
  func copyRows(plane: Int, rows: Range<Int>, into destination: UnsafeMutableRawBufferPointer) throws(FormatError)

  /// The checkpoint's bytes, ``checkpointByteCount`` of them.
  func readCheckpoint() throws(FormatError) -> [UInt8]
}
