#pragma once

#include <string>

#include "base/result.h"

/// The place in a snapshot's folder at which its files are mounted. It is made aside and shown only once the
/// files can be read there: whoever was told its path finds a mount or nothing, never an empty folder, which
/// would look like a layer without files.
namespace skiff::snapshot {

/// Where to mount, in the snapshot's folder, before the place is shown as kServedPlace.
inline constexpr const char* kComingPlace = "lazy-coming/files";

/// The note that tells where the files come from. What else is noted of it begins with this and "-"; all of
/// it goes when the files are here, this one last.
inline constexpr const char* kServedNote = "note-lazy";

/// Makes the empty kComingPlace, in place of one that a former attempt left.
Result<void> make_served_place(const std::string& directory);
/// Shows what is mounted there from now on, instead of what was shown until now: that is taken down, and who
/// uses it goes on doing so. NotFound when the place has gone meanwhile.
Result<void> show_served_place(const std::string& directory);
/// Takes down what was mounted but is not to be shown.
Result<void> drop_coming_place(const std::string& directory);

/// Takes the place down again, shown or coming, with what is mounted there, however often. Who uses that goes
/// on doing so (umount2(2), MNT_DETACH). A place that is not there is fine.
Result<void> remove_served_place(const std::string& directory);

}  // namespace skiff::snapshot
