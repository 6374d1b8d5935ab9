// SPDX-License-Identifier: Apache-2.0
// Stands for a library that another one needs and that is gone when that one is opened.
extern "C" void omserve_test_needed() noexcept;
void omserve_test_needed() noexcept {}
