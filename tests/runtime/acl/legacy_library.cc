// SPDX-License-Identifier: Apache-2.0
// Holds nothing: what makes this library is said to the linker, in CMakeLists.txt.
