; Inno Setup 6: the installer for one user, who needs no rights of an administrator. Both languages.
;   iscc /DVersion=0.1.0 packaging\windows\installer.iss
; It packs dist\bearing-inspector, which packaging\build.py made. Inno Setup's own list of languages has no simplified
; Chinese; ChineseSimplified.isl, which its site offers, must lie in its folder Languages (build.yml fetches it).

#ifndef Version
  #error Say which version it is: iscc /DVersion=0.1.0
#endif

[Setup]
AppId={{6B6D3C0E-5E0B-4F0C-9C55-3D0B8D6C1F6E}
AppName=Bearing Inspector
AppVersion={#Version}
VersionInfoVersion={#Version}
AppPublisher=Bearing Inspector
DefaultDirName={localappdata}\Programs\Bearing Inspector
DefaultGroupName=Bearing Inspector
DisableProgramGroupPage=yes
PrivilegesRequired=lowest
ArchitecturesAllowed=x64compatible
ArchitecturesInstallIn64BitMode=x64compatible
MinVersion=10.0
OutputDir=..\..\dist
OutputBaseFilename=bearing-inspector-{#Version}-windows-setup
SetupIconFile=..\..\assets\icons\bearing-inspector.ico
UninstallDisplayIcon={app}\Bearing Inspector.exe
LicenseFile=..\..\LICENSE
Compression=lzma2/max
SolidCompression=yes
LZMANumBlockThreads=2
ChangesAssociations=yes
CloseApplications=yes
WizardStyle=modern

[Languages]
Name: "en"; MessagesFile: "compiler:Default.isl"
Name: "zh"; MessagesFile: "compiler:Languages\ChineseSimplified.isl"

[CustomMessages]
en.Recipe=Recipe of Bearing Inspector
zh.Recipe=Bearing Inspector 检测方案
en.Associate=Open recipes (*.bearing) with Bearing Inspector
zh.Associate=用 Bearing Inspector 打开检测方案（*.bearing）
en.RemoveSettings=Results are kept.%n%nRemove the settings, the history and the installed plugins too?
zh.RemoveSettings=检测结果会保留。%n%n是否同时删除设置、历史记录和已安装的插件？

[Tasks]
Name: "desktopicon"; Description: "{cm:CreateDesktopIcon}"; Flags: unchecked
Name: "associate"; Description: "{cm:Associate}"

[InstallDelete]
; An older version's libraries must not lie beside the new ones.
Type: filesandordirs; Name: "{app}\_internal"

[Files]
Source: "..\..\dist\bearing-inspector\*"; DestDir: "{app}"; Flags: ignoreversion recursesubdirs createallsubdirs

[Icons]
Name: "{group}\Bearing Inspector"; Filename: "{app}\Bearing Inspector.exe"
Name: "{userdesktop}\Bearing Inspector"; Filename: "{app}\Bearing Inspector.exe"; Tasks: desktopicon

[Registry]
Root: HKCU; Subkey: "Software\Classes\.bearing"; ValueType: string; ValueData: "BearingInspector.Recipe"; Flags: uninsdeletevalue; Tasks: associate
Root: HKCU; Subkey: "Software\Classes\BearingInspector.Recipe"; ValueType: string; ValueData: "{cm:Recipe}"; Flags: uninsdeletekey; Tasks: associate
Root: HKCU; Subkey: "Software\Classes\BearingInspector.Recipe\DefaultIcon"; ValueType: string; ValueData: "{app}\Bearing Inspector.exe,0"; Tasks: associate
Root: HKCU; Subkey: "Software\Classes\BearingInspector.Recipe\shell\open\command"; ValueType: string; ValueData: """{app}\Bearing Inspector.exe"" --recipe ""%1"""; Tasks: associate

[Run]
Filename: "{app}\Bearing Inspector.exe"; Description: "{cm:LaunchProgram,Bearing Inspector}"; Flags: nowait postinstall skipifsilent

[Code]
// Results lie in the person's documents and stay. What the program remembers goes only after a yes; a silent removal keeps it.
procedure CurUninstallStepChanged(Step: TUninstallStep);
var
  Kept: String;
begin
  Kept := ExpandConstant('{localappdata}\Bearing Inspector');
  if (Step = usPostUninstall) and DirExists(Kept) and not UninstallSilent then
    if MsgBox(CustomMessage('RemoveSettings'), mbConfirmation, MB_YESNO or MB_DEFBUTTON2) = IDYES then
      DelTree(Kept, True, True, True);
end;
